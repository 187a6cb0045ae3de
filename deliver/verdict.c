#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bounce_cf.h"
#include "buf.h"
#include "conf.h"
#include "event.h"
#include "log.h"
#include "service.h"

static struct reply_rules *rules;

void
verdict_init(void)
{
	struct buf error = { 0 };

	if (bounce_cf_load(conf()->dir, &rules, &error) < 0) {
		fatal("%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
}

void
verdict_exit(void)
{
	reply_rules_free(&rules);
}

void
verdict_fini(struct verdict *v)
{
	free(v->text);
	*v = (struct verdict){ 0 };
}

void
verdict_copy(struct verdict *to, const struct verdict *from)
{
	*to = *from;
	if (from->text != NULL) {
		to->text = mem_dup(from->text, from->text_len);
	}
}

static void
set_text(struct verdict *v, const char *text, size_t len)
{
	if (len > VERDICT_TEXT_MAX) {
		len = VERDICT_TEXT_MAX;
	}
	v->text = mem_dup(text, len);
	v->text_len = (uint32_t)len;
}

/* "550 5.1.1 no such user"; further lines follow without the code. */
static void
set_reply(struct verdict *v, enum phase phase, const struct smtp_reply *r)
{
	char text[VERDICT_TEXT_MAX];
	size_t n = (size_t)snprintf(text, sizeof(text), "%u ", r->code);
	size_t len = r->text_len;

	if (len > sizeof(text) - n) {
		len = sizeof(text) - n;
	}
	if (len > 0) {
		memcpy(text + n, r->text, len);
	}
	set_text(v, text, n + len);
	v->is_set = true;
	v->code = (uint16_t)r->code;
	v->command = phase_command(phase);
	(void)snprintf(v->enh, sizeof(v->enh), "%u.%u.%u",
	    r->enhanced.class % 10u, r->enhanced.subject % 1000u,
	    r->enhanced.detail % 1000u);
}

static void
classify(struct verdict *v, enum phase phase, struct str host,
    const struct smtp_reply *r, struct reply_answer *answer)
{
	struct reply_question q = {
		.code = r->code,
		.text = { r->text, r->text_len },
		.host = host,
		.phase = phase_reply(phase),
	};

	if (r->has_enhanced) {
		q.enh = str_of(v->enh);
	}
	reply_class(rules, &q, answer);
	v->reason = (uint8_t)answer->reason;
	v->is_hard = answer->is_hard;
}

void
verdict_from_reply(struct verdict *v, enum phase phase, struct str host,
    const struct smtp_reply *reply)
{
	struct smtp_reply r = *reply;
	struct reply_answer answer;

	set_reply(v, phase, &r);
	/* RFC 5321 section 4.5.3.1.10: 552 at RCPT means too many of them, and
	 * is 452. What was said stays in the result. */
	if (phase == PHASE_RCPT && r.code == 552) {
		r.code = 452;
		v->enh[0] = '4';
	}
	if (r.code / 100 == 2) {
		v->outcome = OUTCOME_DELIVERED;
		return;
	}
	classify(v, phase, host, &r, &answer);
	v->outcome = answer.is_retry ? OUTCOME_DEFERRED : OUTCOME_FAILED;
}

void
verdict_refused(struct verdict *v, enum phase phase, struct str host,
    const struct smtp_reply *reply)
{
	struct reply_answer answer;

	set_reply(v, phase, reply);
	classify(v, phase, host, reply, &answer);
	v->outcome = OUTCOME_DEFERRED;
	v->is_hard = false;
	v->is_connect = CONNECT_FAILED;
}

void
verdict_local(struct verdict *v, enum outcome outcome, enum reason reason,
    const char *enh, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*v = (struct verdict){
		.is_set = true,
		.outcome = (uint8_t)outcome,
		.reason = (uint8_t)reason,
		.command = "",
	};
	str_copy(v->enh, sizeof(v->enh), str_of(enh));
	set_text(
	    v, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

struct dns_row {
	enum outcome outcome;
	enum reason reason;
	const char *enh;
	const char *what;
};

static const struct dns_row dns_rows[] = {
	[DNS_NXDOMAIN] = { OUTCOME_FAILED, REASON_BAD_DOMAIN, "5.1.2",
	    "Host or domain name not found" },
	[DNS_NULL_MX] = { OUTCOME_FAILED, REASON_BAD_DOMAIN, "5.1.10",
	    "Domain does not accept mail (null MX)" },
	[DNS_NO_ADDRESS] = { OUTCOME_FAILED, REASON_ROUTING, "5.4.4",
	    "No mail server of the domain has an address" },
	[DNS_LOOP] = { OUTCOME_FAILED, REASON_ROUTING, "5.4.6",
	    "Mail for the domain loops back to this system" },
	[DNS_TEMPORARY] = { OUTCOME_DEFERRED, REASON_DNS, "4.4.3",
	    "Host or domain name not found for now" },
	[DNS_BAD_NAME] = { OUTCOME_FAILED, REASON_BAD_DOMAIN, "5.1.2",
	    "Bad destination name" },
	[DNS_NOT_PUBLIC] = { OUTCOME_FAILED, REASON_ROUTING, "5.4.4",
	    "The domain's mail servers have no public address" },
};

void
verdict_dns(struct verdict *v, enum dns_status status, const char *next_hop,
    const char *reason)
{
	const struct dns_row *row = &dns_rows[DNS_TEMPORARY];

	if ((size_t)status < array_len(dns_rows) &&
	    dns_rows[status].what != NULL) {
		row = &dns_rows[status];
	}
	verdict_local(v, row->outcome, row->reason, row->enh, "%s: %s%s%s",
	    row->what, next_hop, reason[0] != '\0' ? ": " : "", reason);
	v->is_hard =
	    row->outcome == OUTCOME_FAILED && reason_desc(row->reason)->is_hard;
	v->is_connect = CONNECT_FAILED;
}
