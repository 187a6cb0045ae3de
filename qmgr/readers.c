/*
 * The journal for others: webhookd and accountd read it by themselves, from
 * descriptors; here they get these, and the word how far it is durable. What
 * they want written comes here too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "event_id.h"
#include "log.h"
#include "qmgr.h"

static void
fill(struct qmgr *q, struct ipc_journal_durable *m)
{
	m->lsn = jrn_durable(q->jrn);
	m->oldest = q->oldest_journal;
	if (m->lsn == 0) {
		/* Nothing yet in this run: all files before are complete. */
		m->lsn = journal_lsn(q->first_journal, 0);
	}
}

void
readers_up(struct qmgr *q, struct peer *p)
{
	struct ipc_journal_durable m;

	fill(q, &m);
	(void)peer_send(p, IPC_journal_durable, 0, &m);
}

void
readers_durable(struct qmgr *q, uint64_t lsn)
{
	struct ipc_journal_durable m;

	(void)lsn;
	fill(q, &m);
	peers_tell(q, ROLE_WEBHOOKD | ROLE_ACCOUNTD, IPC_journal_durable, &m);
}

void
readers_want(struct qmgr *q, struct peer *p, const struct ipc_journal_want *m)
{
	char path[JOURNAL_NAME_SIZE + 4] = "jrn/";
	struct ipc_journal_file f = { .number = m->number,
		.oldest = q->oldest_journal };
	autoclose int fd = -1;

	journal_name(m->number, path + 4);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		f.is_missing = 1;
		(void)peer_send(p, IPC_journal_file, 0, &f);
	} else {
		(void)peer_send_fd(p, IPC_journal_file, 0, &f, fd);
	}
}

/* What others may say: nothing that changes the queue. */
static bool
may_be_written(unsigned kind)
{
	switch (kind) {
	case EVENT_blocked:
	case EVENT_alert:
	case EVENT_unsubscribe:
	case EVENT_auto_reply:
	case EVENT_open:
	case EVENT_click:
	case EVENT_rate_limit:
	case EVENT_refused:
		return true;
	default:
		return false;
	}
}

/*
 * A blocked event about a recipient that is queued would end it at the next
 * start but not now; only intake says that.
 */
static bool
is_about_queued(struct qmgr *q, const struct ipc_event_write *m)
{
	struct event_common c;

	return m->kind == EVENT_blocked && event_peek(m->kind, m->record, &c) &&
	    !uuid_is_null(&c.msgid) &&
	    core_find(q->core, &c.msgid) != CORE_NONE;
}

/*
 * An accountd that was killed repeats the alerts that it had not read in the
 * journal yet. (After a death of ours it has read what we wrote before.)
 */
static bool
is_repeated(struct qmgr *q, unsigned kind, const void *event)
{
	const struct event_alert *e = event;

	if (kind != EVENT_alert || e->alert_id == 0) {
		return false;
	}
	for (size_t i = 0; i < array_len(q->alerts); i++) {
		if (q->alerts[i] == e->alert_id) {
			return true;
		}
	}
	q->alerts[q->alerts_at] = e->alert_id;
	q->alerts_at = (q->alerts_at + 1) % array_len(q->alerts);
	return false;
}

void
readers_event(struct qmgr *q, struct peer *p, const struct ipc_event_write *m)
{
	uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];

	if (!may_be_written(m->kind) || is_about_queued(q, m) ||
	    event_decode(m->kind, m->record.p, m->record.len, space) < 0) {
		log_warn("%s wants an event of kind %u written: refused",
		    role_name(peer_role(p)), m->kind);
		return;
	}
	if (is_repeated(q, m->kind, space)) {
		return;
	}
	q->facts++;
	jrn_write_raw(q->jrn, (enum event_type)m->kind, m->record, NULL, 0, 0);
}
