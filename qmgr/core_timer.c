#include "core_impl.h"

/*
 * A binary heap; every object knows its place in it, so that a timer can be
 * moved. Only objects that are blocked have one: few, against recipients.
 */

static uint32_t *
place_of(struct core *core, const struct timer *t)
{
	switch ((enum timer_kind)t->kind) {
	case TIMER_GATE:
		return &gate_at(core, t->index)->timer;
	case TIMER_PATH:
		return &path_at(core, t->index)->timer;
	case TIMER_DOMAIN:
		return &domain_at(core, t->index)->timer;
	}
	bug_on(true);
}

static void
put(struct core *core, uint32_t at, struct timer t)
{
	core->timers[at] = t;
	*place_of(core, &t) = at;
}

static void
sift_up(struct core *core, uint32_t at, struct timer t)
{
	while (at > 1 && core->timers[at / 2].at_us > t.at_us) {
		put(core, at, core->timers[at / 2]);
		at /= 2;
	}
	put(core, at, t);
}

static void
sift_down(struct core *core, uint32_t at, struct timer t)
{
	for (;;) {
		uint32_t child = at * 2;

		if (child < core->ntimers &&
		    core->timers[child + 1].at_us < core->timers[child].at_us) {
			child++;
		}
		if (child > core->ntimers ||
		    core->timers[child].at_us >= t.at_us) {
			break;
		}
		put(core, at, core->timers[child]);
		at = child;
	}
	put(core, at, t);
}

static void
place(struct core *core, uint32_t at, struct timer t)
{
	if (at > 1 && core->timers[at / 2].at_us > t.at_us) {
		sift_up(core, at, t);
	} else {
		sift_down(core, at, t);
	}
}

void
timer_set(
    struct core *core, enum timer_kind kind, uint32_t index, uint64_t at_us)
{
	struct timer t = { .at_us = at_us, .kind = kind, .index = index };
	uint32_t at = *place_of(core, &t);

	if (at_us == UINT64_MAX) {
		if (at != NIL) {
			struct timer last = core->timers[core->ntimers--];

			*place_of(core, &t) = NIL;
			if (at <= core->ntimers) {
				place(core, at, last);
			}
		}
		return;
	}
	if (at == NIL) {
		bug_on(core->ntimers == core->max_timers);
		at = ++core->ntimers;
		sift_up(core, at, t);
		return;
	}
	place(core, at, t);
}

bool
timer_pop(struct core *core, struct timer *t)
{
	if (core->ntimers == 0 || core->timers[1].at_us > core->now_us) {
		return false;
	}
	*t = core->timers[1];
	timer_set(core, (enum timer_kind)t->kind, t->index, UINT64_MAX);
	return true;
}
