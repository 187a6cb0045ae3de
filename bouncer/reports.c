/* report_job: reads what came to a return path or an address of ours. */
#include <errno.h>
#include <string.h>

#include "account.h"
#include "address.h"
#include "bouncer.h"
#include "conf.h"
#include "facts.h"
#include "log.h"
#include "report.h"
#include "service.h"

/* Content in a segment: at most SPOOL_BIG_FROM and a header. */
#define CONTENT_MAX (4 * 1024 * 1024)

struct work {
	uint64_t job;
	uint64_t run; /* of the qmgr that asked */
	char id[UUID_TEXT_SIZE];
	struct report r;
	bool has_report;
	unsigned waits; /* answers that are to come */
};

static struct work *
work_new(const struct ipc_report_job *m)
{
	struct work *w = mem_alloc(sizeof(*w));

	w->job = m->job;
	w->run = bouncer_qmgr_run();
	w->waits = 1;
	uuid_print(&m->msgid, w->id);
	bouncer_begin();
	return w;
}

/* One thing less to wait for; after the last the report is dealt with. */
static void
work_unref(struct work *w)
{
	struct ipc_report_done m = { .job = w->job };

	if (--w->waits > 0) {
		return;
	}
	bouncer_tell_qmgr(w->run, IPC_report_done, &m);
	if (w->has_report) {
		report_fini(&w->r);
	}
	free(w);
	bouncer_end();
}

/* ---- what is told ------------------------------------------------------- */

static void
log_report(const struct work *w, const struct ipc_report_fact *f)
{
	char to[256], text[256], status[17], orig[UUID_TEXT_SIZE];

	uuid_print(&f->orig_msgid, orig);
	log_info("%s: report about=%s, to=<%s>, dsn=%s, class=%.*s, "
		 "status=%s (%s)",
	    w->id, orig, str_safe(to, sizeof(to), f->rcpt_to),
	    str_safe(status, sizeof(status), f->status), STR_ARG(f->class),
	    event_desc(f->kind)->name, str_safe(text, sizeof(text), f->text));
}

static void
tell(const struct work *w, const struct uuid *msgid, uint16_t rcpt,
    uint64_t accept_lsn)
{
	struct ipc_report_fact f = { .job = w->job };
	const char *why = "";
	char orig[UUID_TEXT_SIZE];

	f.orig_msgid = *msgid;
	f.orig_rcpt = rcpt;
	f.orig_accept_lsn = accept_lsn;
	if (facts_from_report(&w->r, &f, &why)) {
		log_report(w, &f);
		bouncer_tell_qmgr(w->run, IPC_report_fact, &f);
		return;
	}
	uuid_print(msgid, orig);
	log_info("%s: report about=%s, nothing to do (%s)", w->id, orig, why);
}

/* ---- complaints that come to an address of ours ---------------------------
 */

static void
log_unmatched(const struct work *w, const char *why)
{
	char path[REPORT_ADDRESS_SIZE];

	log_info("%s: complaint type=%s, return path=<%s>, ignored: %s", w->id,
	    w->r.feedback_type,
	    str_safe(path, sizeof(path), str_of(w->r.return_path)), why);
}

/* Only a token that accountd knows ties a complaint to a message. */
static void
on_token(void *arg, enum ipc_type type, const void *m)
{
	struct work *w = arg;
	const struct ipc_rcpt_rep *rep = m;

	if (type != IPC_rcpt_rep || rep == NULL) {
		log_unmatched(w, "accountd does not answer");
	} else if (rep->code != 0 || rep->kind != INBOUND_RETURN_PATH) {
		log_unmatched(w, "not a return path of ours, or too old");
	} else {
		tell(w, &rep->msgid, rep->rcpt, rep->accept_lsn);
	}
	work_unref(w);
}

static void
resolve(struct work *w)
{
	struct str path = str_of(w->r.return_path);
	struct ipc_rcpt_req req = { .local = address_local(path),
		.domain = address_domain(path) };

	if (path.len == 0) {
		log_unmatched(w, "it names no return path of ours");
		return;
	}
	w->waits++;
	if (peer_call(service_peer(ROLE_ACCOUNTD, 0), IPC_rcpt_req, &req, -1,
		conf()->bouncer_service_timeout, on_token, w, NULL) < 0) {
		w->waits--;
		log_unmatched(w, "accountd cannot be asked");
	}
}

/* ---- the job ------------------------------------------------------------ */

static void
on_forwarded(void *arg, int status)
{
	(void)status; /* forward.c has logged it */
	work_unref(arg);
}

static void
read_message(
    struct work *w, const struct message_place *place, struct message *msg)
{
	message_unstuff(msg);
	report_parse(msg->content.p, msg->content.len, &w->r);
	w->has_report = true;
	if (msg->a.inbound == INBOUND_RETURN_PATH) {
		tell(w, &msg->a.orig_msgid, msg->a.orig_rcpt,
		    msg->a.orig_accept_lsn);
		w->waits++;
		owner_forward(place, &msg->a.orig_msgid, msg->a.orig_accept_lsn,
		    on_forwarded, w);
		return;
	}
	if (w->r.kind == REPORT_FEEDBACK) {
		resolve(w);
	}
	if (msg->a.inbound == INBOUND_ROLE) {
		struct forward f = { .to = str_of(conf()->mx_forward_to) };

		w->waits++;
		forward_send(place, &f, on_forwarded, w);
	} else if (w->r.kind != REPORT_FEEDBACK) {
		log_info("%s: no complaint: ignored", w->id);
	}
}

void
reports_on_job(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_report_job *m = msg;
	struct message_place place = { m->msgid, m->segid, m->rec_off,
		m->content_off, m->content_len, m->content_crc };
	struct work *w = work_new(m);
	struct message message;
	int e;

	(void)p;
	(void)id;
	e = message_load(&place, REPORT_INPUT_MAX, CONTENT_MAX, &message);
	if (e == 0) {
		read_message(w, &place, &message);
		message_fini(&message);
	} else {
		/* It will not be readable the next time either. */
		log_error("%s: report cannot be read: %s", w->id, strerror(-e));
	}
	work_unref(w);
}
