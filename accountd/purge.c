/*
 * Suppressions of a deleted account may be millions: they go a batch at a
 * time. What a crash leaves behind belongs to nobody, as ids are not used
 * twice.
 */
#include <errno.h>

#include "accountd.h"
#include "clock.h"
#include "loop.h"
#include "suppressions.h"

#define BATCH 500
#define PAUSE_US US_PER_MS
#define PAUSE_FULL_US US_PER_S /* while the database takes no changes */

struct purge {
	struct purge *next;
	uint32_t account;
	uint32_t subaccount;
};

static struct purge *purges;
static struct loop_timer *timer;

static void
work(void *arg)
{
	struct purge *p = purges;
	int r;

	(void)arg;
	if (p == NULL) {
		return;
	}
	r = suppressions_purge(
	    accountd.store, p->account, p->subaccount, BATCH);
	if (r == -ENOSPC) {
		loop_timer_arm(timer, PAUSE_FULL_US);
		return;
	}
	if (r <= 0) {
		purges = p->next;
		free(p);
	}
	loop_timer_arm(timer, PAUSE_US);
}

void
purges_start(uint32_t account, uint32_t subaccount)
{
	struct purge *p = mem_alloc(sizeof(*p));

	p->account = account;
	p->subaccount = subaccount;
	p->next = purges;
	purges = p;
	if (timer == NULL) {
		timer = loop_timer_new(work, NULL);
	}
	loop_timer_arm(timer, PAUSE_US);
}

void
purges_stop(void)
{
	while (purges != NULL) {
		struct purge *p = purges;

		purges = p->next;
		free(p);
	}
	loop_timer_free(&timer);
}
