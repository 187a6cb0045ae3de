/*
 * The core's turn: time moves on, then what it wants done is done. Work is
 * bounded per turn, so that results and new mail are looked at in between.
 */
#include "clock.h"
#include "conns.h"
#include "core_view.h"
#include "qmgr.h"
#include "tools.h"

#define OUTPUTS_PER_TURN 2000
#define CLOSED_US (100 * US_PER_MS)
#define NEVER_US (3600 * US_PER_S)

bool
turn_is_open(const struct qmgr *q)
{
	return !q->is_draining && !q->is_reconciling && q->has_return_key &&
	    q->has_tenants && jrn_is_ok(q->jrn) && dispatch_is_possible(q);
}

static void
act(struct qmgr *q, const struct core_out *o)
{
	switch (o->kind) {
	case CORE_JOB:
		dispatch_job(q, o);
		break;
	case CORE_CANCEL:
		dispatch_cancel(q, o);
		break;
	case CORE_CLOSE:
		conns_close(q, o);
		break;
	case CORE_RESOLVE:
		resolve_domain(q, o->domain);
		break;
	case CORE_EXPIRED:
	case CORE_DNS_FAILED:
	case CORE_DELETED:
	case CORE_HELD:
	case CORE_RELEASED:
	case CORE_RATE_LIMITED:
		outcome_core(q, o);
		break;
	case CORE_MESSAGE_DONE:
		release_message(q, o);
		break;
	case CORE_SEGMENT_EMPTY: {
		struct seg *g = segs_find(q->segs, o->segid);

		if (g != NULL) {
			release_segment(q, g);
		}
		break;
	}
	case CORE_ADMIN_DONE:
		tools_admin_done(q, o->command, o->count);
		break;
	}
}

static void
run_turn(void *arg)
{
	struct qmgr *q = arg;
	uint64_t now = qmgr_now(q);
	bool is_more = core_advance(q->core, now);
	struct core_out o;
	uint64_t wake;
	int left = OUTPUTS_PER_TURN;

	pressure_tenants(q);
	while (left > 0 && turn_is_open(q) && core_next(q->core, &o)) {
		act(q, &o);
		left--;
	}
	if (q->is_draining) {
		return;
	}
	if (is_more || left == 0 ||
	    (core_admin_is_running(q->core) && turn_is_open(q))) {
		loop_timer_arm(q->again, 0);
		return;
	}
	wake = core_wake_us(q->core);
	if (!turn_is_open(q) && wake < now + CLOSED_US) {
		wake = now + CLOSED_US; /* whoever opens calls turn_wanted */
	} else if (wake <= now) {
		wake = now + US_PER_MS; /* within the clock's grain */
	}
	loop_timer_arm(q->again, wake - now < NEVER_US ? wake - now : NEVER_US);
}

void
turn_wanted(struct qmgr *q)
{
	loop_defer(&q->turn, run_turn, q);
}

void
turn_init(struct qmgr *q)
{
	q->again = loop_timer_new(run_turn, q);
}

void
turn_fini(struct qmgr *q)
{
	loop_defer_cancel(&q->turn);
	loop_timer_free(&q->again);
}
