/*
 * Jobs that wait too long for a connection go back to qmgr: another path may
 * be free; and what a rate let through must not be sent later in a bunch.
 */
#include "clock.h"
#include "loop.h"
#include "path.h"
#include "result.h"
#include "service.h"

/* How often they are looked for. */
#define LOOK_US (500 * US_PER_MS)

static struct loop_timer *timer;

/* Whether it may go sooner over another path. */
static bool
has_waited_long(const struct job *j, uint64_t now)
{
	if (j->state == JOB_BOUND) {
		return job_is_late(j);
	}
	return j->state == JOB_WAITING &&
	    (job_is_late(j) ||
		now - j->arrived_us >= conf()->deliver_ahead_time);
}

static void
on_timer(void *arg)
{
	struct job *j = TAILQ_FIRST(&jobs_all);
	uint64_t now = clock_mono_us();
	bool is_any = false;

	(void)arg;
	while (j != NULL) {
		struct job *next = TAILQ_NEXT(j, all);

		if (has_waited_long(j, now) && path_withdraw(j)) {
			result_return(&j);
		} else {
			is_any = is_any || j->state == JOB_WAITING ||
			    (j->state == JOB_BOUND && j->start_us != 0);
		}
		j = next;
	}
	if (is_any) {
		loop_timer_arm(timer, LOOK_US);
	}
}

void
patience_begin(void)
{
	if (!loop_timer_is_armed(timer)) {
		loop_timer_arm(timer, LOOK_US);
	}
}

void
patience_init(void)
{
	timer = loop_timer_new(on_timer, NULL);
}

void
patience_fini(void)
{
	loop_timer_free(&timer);
}
