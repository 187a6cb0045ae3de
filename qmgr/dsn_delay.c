#include "dsn_delay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_view.h"
#include "dsn_due.h"
#include "jrn.h"
#include "log.h"
#include "loop.h"
#include "qmgr.h"
#include "results.h"

/* Messages looked at in one go, and records read again for them. */
#define LOOKS 8192
#define READS 32
/* Recipients looked at before that. */
#define FEW 8
/* Between two goes of a round. */
#define PAUSE_US (5 * US_PER_MS)
/* Between two rounds. */
#define ROUND_MIN_US US_PER_S
#define ROUND_MAX_US (60 * US_PER_S)
/* A round's part of the time after which senders are warned. */
#define ROUND_PART 60

struct dsn_delay {
	struct loop_timer *timer;
	uint32_t at; /* core_walk */
};

/* Recipients that wait for their first attempt by the client's wish are for
 * later; whatever else is late is late. */
static bool
is_late(const struct core_rcpt_view *r, uint64_t now_us)
{
	if (r->state == CORE_RCPT_HELD || r->state == CORE_RCPT_ENDED) {
		return false;
	}
	return r->r.attempts > 0 || r->state != CORE_RCPT_WAITING ||
	    (uint64_t)r->r.due_s * US_PER_S <= now_us;
}

/* "4.7.1" of a reply that has one; else empty. */
static struct str
enhanced_of(struct str reply)
{
	struct str line, code, word;

	if (!str_split(&reply, '\n', &line) || !str_split(&line, ' ', &code) ||
	    code.len != 3 || !str_split(&line, ' ', &word) || word.len > 11 ||
	    !str_starts(word, "4.")) {
		return STR("");
	}
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] != '.' && (word.p[i] < '0' || word.p[i] > '9')) {
			return STR("");
		}
	}
	return word;
}

/* Which recipients are late, by their ordinals; n_late of them. */
static bool *
find_late(struct qmgr *q, uint32_t msg, uint32_t nrcpt, uint32_t *n_late)
{
	uint32_t n = core_message_rcpts(q->core, msg, NULL, 0);
	struct core_rcpt_view *all = mem_alloc((n + 1) * sizeof(*all));
	bool *late = mem_alloc(nrcpt + 1);

	*n_late = 0;
	n = core_message_rcpts(q->core, msg, all, n);
	for (uint32_t i = 0; i < n; i++) {
		if (all[i].r.ordinal < nrcpt && is_late(&all[i], qmgr_now(q))) {
			late[all[i].r.ordinal] = true;
			++*n_late;
		}
	}
	free(all);
	return late;
}

static void
warn(struct qmgr *q, const struct core_message *m, uint32_t msg,
    const struct event_accepted *e)
{
	struct subject s = {
		.now_us = qmgr_now(q),
		.msg = msg,
		.msgid = m->id,
		.accept_lsn = m->accept_lsn,
		.account = m->account,
		.subaccount = m->subaccount,
	};
	struct note *note = notes_at(q->notes, msg);
	struct ipc_result r = { 0 };
	struct str rest = e->rcpts;
	struct event_rcpt rcpt;
	uint32_t n_late;
	bool *late = find_late(q, msg, e->nrcpt, &n_late);

	/* The last failure is known of the message, not of each recipient. */
	if (n_late == 1) {
		r.smtp_text = notes_reason(q->notes, note->reason);
		r.smtp_enh = enhanced_of(r.smtp_text);
	}
	for (uint32_t i = 0; i < e->nrcpt && event_rcpt_next(&rest, &rcpt);
	     i++) {
		s.rcpt = (uint16_t)i;
		if (late[i]) {
			(void)dsn_note(q, &s, &rcpt, &r, DSN_DELAYED);
		}
	}
	if (n_late > 0) {
		note->flags |= NOTE_WARNED;
	}
	free(late);
}

/* Whether the record is worth reading: of few recipients, one is late. What
 * is held, or to be sent later, is not read again in each round. */
static bool
may_be_late(struct qmgr *q, uint32_t msg)
{
	struct core_rcpt_view few[FEW];
	uint32_t n = core_message_rcpts(q->core, msg, few, FEW);

	for (uint32_t i = 0; i < n && i < FEW; i++) {
		if (is_late(&few[i], qmgr_now(q))) {
			return true;
		}
	}
	return n > FEW;
}

/* Tells the sender, if it is time. False: that took no reading. */
static bool
look(struct qmgr *q, uint32_t msg)
{
	uint64_t late_us = q->conf->delay_warning_time;
	uint64_t now_us = qmgr_now(q);
	struct buf record = { 0 };
	struct event_accepted e;
	struct core_message m;
	uint64_t from_us;
	uint32_t n;

	if (!dsn_tells_sender(q, msg) ||
	    (notes_at(q->notes, msg)->flags & NOTE_WARNED) ||
	    core_message_get(q->core, msg, &m, &n) < 0 || m.accept_lsn == 0 ||
	    uuid_wall_ms(&m.id) * 1000 + late_us > now_us ||
	    !may_be_late(q, msg)) {
		return false;
	}
	if (accepted_reread(q, &m.place, &record, &e) == 0) {
		from_us =
		    e.not_before_us > e.time_us ? e.not_before_us : e.time_us;
		if (from_us + late_us <= now_us) {
			warn(q, &m, msg, &e);
		}
	}
	buf_fini(&record);
	return true;
}

static uint64_t
round_us(const struct qmgr *q)
{
	uint64_t us = q->conf->delay_warning_time / ROUND_PART;

	return us < ROUND_MIN_US ? ROUND_MIN_US
	    : us > ROUND_MAX_US	 ? ROUND_MAX_US
				 : us;
}

static void
look_at_some(void *arg)
{
	struct qmgr *q = arg;
	struct dsn_delay *d = q->dsn_delay;
	int looks = LOOKS;
	int reads = READS;
	uint32_t msg;
	int r = -EAGAIN;

	if (q->is_draining || q->is_reconciling || !jrn_is_ok(q->jrn)) {
		loop_timer_arm(d->timer, round_us(q));
		return;
	}
	while (looks-- > 0 && reads > 0) {
		r = core_walk(q->core, &d->at, &msg);
		if (r <= 0) {
			break;
		}
		reads -= look(q, msg);
	}
	if (r == 0) {
		d->at = 0;
	}
	loop_timer_arm(d->timer, r == 0 ? round_us(q) : PAUSE_US);
}

void
dsn_delay_init(struct qmgr *q)
{
	if (q->conf->delay_warning_time == 0) {
		return;
	}
	q->dsn_delay = mem_alloc(sizeof(*q->dsn_delay));
	q->dsn_delay->timer = loop_timer_new(look_at_some, q);
	loop_timer_arm(q->dsn_delay->timer, round_us(q));
}

void
dsn_delay_fini(struct qmgr *q)
{
	if (q->dsn_delay != NULL) {
		loop_timer_free(&q->dsn_delay->timer);
		free(q->dsn_delay);
		q->dsn_delay = NULL;
	}
}
