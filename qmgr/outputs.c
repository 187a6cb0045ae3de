/*
 * The core's word about recipients: given up without an attempt, or changed
 * by an administrator or a quota.
 */
#include <stdio.h>

#include "core_name.h"
#include "log.h"
#include "plan.h"
#include "qmgr.h"
#include "reply_class.h"
#include "resolve.h"
#include "results.h"
#include "routes.h"

#define COMMON(s)                                                              \
	.time_us = (s)->now_us, .msgid = (s)->msgid,                           \
	.accept_lsn = (s)->accept_lsn, .account = (s)->account,                \
	.subaccount = (s)->subaccount, .rcpt = (s)->rcpt

/* The recipient's address, from the message's record. */
static struct str
address_of(struct qmgr *q, const struct core_out *o, struct buf *record)
{
	struct event_accepted e;

	if (accepted_reread(q, &o->place, record, &e) < 0) {
		return STR("");
	}
	return accepted_rcpt(&e, o->ordinal).address;
}

static void
give_up(struct qmgr *q, const struct core_out *o, struct ipc_result *r)
{
	struct subject s = outcome_subject(q, o);
	struct buf record = { 0 };

	r->msgid = o->id;
	r->rcpt = o->ordinal;
	r->attempt = o->attempts;
	r->rcpt_to = address_of(q, o, &record);
	outcome_failed(q, &s, r);
	buf_fini(&record);
}

static void
expired(struct qmgr *q, const struct core_out *o)
{
	struct str last =
	    notes_reason(q->notes, notes_at(q->notes, o->msg)->reason);
	char text[320];
	struct ipc_result r = {
		.smtp_enh = STR("4.4.7"),
		.class = str_of(reason_desc(REASON_EXPIRED)->name),
	};

	(void)snprintf(text, sizeof(text), "delivery time expired%s%.*s",
	    last.len != 0 ? "; last: " : "", STR_ARG(last));
	r.smtp_text = str_of(text);
	give_up(q, o, &r);
}

static void
no_service(struct qmgr *q, const struct core_out *o)
{
	static const struct {
		const char *enh;
		enum reason reason;
		bool is_hard;
	} rows[] = {
		[DNS_OK] = { "5.4.4", REASON_DNS, false },
		[DNS_NXDOMAIN] = { "5.1.2", REASON_BAD_DOMAIN, true },
		[DNS_NULL_MX] = { "5.1.10", REASON_BAD_DOMAIN, true },
		[DNS_NO_ADDRESS] = { "5.4.4", REASON_DNS, false },
		[DNS_LOOP] = { "5.4.6", REASON_ROUTING, false },
		[DNS_TEMPORARY] = { "4.4.3", REASON_DNS, false },
		[DNS_BAD_NAME] = { "5.1.2", REASON_BAD_DOMAIN, true },
		[DNS_NOT_PUBLIC] = { "5.4.4", REASON_ROUTING, false },
		[DNS_REFUSED] = { "5.7.1", REASON_ROUTING, false },
	};
	struct str domain = core_domain_name(q->core, o->domain);
	const struct routes_entry *e = routes_find(q->routes, domain);
	uint8_t status;
	const char *text = resolve_failure(q, domain, &status);
	unsigned row = status < array_len(rows) ? status : DNS_NXDOMAIN;
	struct ipc_result r = {
		.smtp_enh = str_of(rows[row].enh),
		.smtp_text = str_of(text),
		.class = str_of(reason_desc(rows[row].reason)->name),
		.is_hard = rows[row].is_hard,
	};

	if (status == DNS_REFUSED) {
		r.smtp_enh = str_of(e->enh);
	}
	give_up(q, o, &r);
}

static void
deleted(struct qmgr *q, const struct core_out *o)
{
	struct subject s = outcome_subject(q, o);
	struct buf record = { 0 };
	struct event_deleted e = { COMMON(&s) };
	char id[UUID_TEXT_SIZE];
	char to[320];

	e.rcpt_to = address_of(q, o, &record);
	qmgr_write(q, EVENT_deleted, &e, NULL, 0, 0);
	uuid_print(&o->id, id);
	log_info("%s: to=<%s>, deleted by an administrator", id,
	    str_safe(to, sizeof(to), e.rcpt_to));
	buf_fini(&record);
}

static void
limited(struct qmgr *q, const struct core_out *o)
{
	struct subject s = outcome_subject(q, o);
	struct event_rate_limit e = { COMMON(&s), .quota = o->quota,
		.next_try_us = o->due_s * US_PER_S };

	qmgr_write(q, EVENT_rate_limit, &e, NULL, 0, 0);
}

void
outcome_core(struct qmgr *q, const struct core_out *o)
{
	struct subject s = outcome_subject(q, o);

	switch (o->kind) {
	case CORE_EXPIRED:
		expired(q, o);
		break;
	case CORE_DNS_FAILED:
		no_service(q, o);
		break;
	case CORE_DELETED:
		deleted(q, o);
		break;
	case CORE_HELD: {
		struct event_held e = { COMMON(&s) };

		qmgr_write(q, EVENT_held, &e, NULL, 0, 0);
		break;
	}
	case CORE_RELEASED: {
		struct event_released e = { COMMON(&s),
			.next_try_us = o->due_s * US_PER_S };

		qmgr_write(q, EVENT_released, &e, NULL, 0, 0);
		break;
	}
	case CORE_RATE_LIMITED:
		limited(q, o);
		break;
	case CORE_JOB:
	case CORE_CANCEL:
	case CORE_CLOSE:
	case CORE_RESOLVE:
	case CORE_MESSAGE_DONE:
	case CORE_SEGMENT_EMPTY:
	case CORE_ADMIN_DONE:
		break; /* turn.c has them */
	}
}
