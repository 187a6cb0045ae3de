#include <endian.h>
#include <errno.h>

#include "core_impl.h"

/*
 * One flat wheel of seconds. The few recipients due beyond its 12 days are in
 * a list of their own, looked through once a day; those that are filed when
 * their time has passed already (at recovery) leave by another list.
 */

int
wheel_init(struct wheel *w, uint32_t now_s)
{
	*w = (struct wheel){ .now_s = now_s,
		.far_check_s = now_s + FAR_CHECK_S };
	w->slot = slab_reserve(WHEEL_SLOTS * sizeof(*w->slot));
	w->bits = slab_reserve(WHEEL_SLOTS / 8);
	return w->slot == NULL || w->bits == NULL ? -ENOMEM : 0;
}

void
wheel_fini(struct wheel *w)
{
	slab_release(w->slot, WHEEL_SLOTS * sizeof(*w->slot));
	slab_release(w->bits, WHEEL_SLOTS / 8);
}

static void
mark(struct wheel *w, uint32_t slot)
{
	w->bits[slot / 64] |= 1ULL << slot % 64;
	w->sum[slot / 4096] |= 1ULL << slot / 64 % 64;
}

static void
unmark(struct wheel *w, uint32_t slot)
{
	w->bits[slot / 64] &= ~(1ULL << slot % 64);
	if (w->bits[slot / 64] == 0) {
		w->sum[slot / 4096] &= ~(1ULL << slot / 64 % 64);
	}
}

void
wheel_add(struct core *core, uint32_t rcpt, uint32_t due_s)
{
	struct wheel *w = &core->wheel;
	struct rcpt *r = rcpt_at(core, rcpt);

	r->at = due_s;
	if (due_s <= w->now_s) {
		r->flags |= RCPT_OVERDUE;
		list_push(&w->overdue, rcpt_kin(core), rcpt);
	} else if (due_s - w->now_s >= WHEEL_SLOTS) {
		r->flags |= RCPT_FAR;
		list_push(&w->far, rcpt_kin(core), rcpt);
		w->nfar++;
	} else {
		list_push(&w->slot[due_s & WHEEL_MASK], rcpt_kin(core), rcpt);
		mark(w, due_s & WHEEL_MASK);
	}
}

void
wheel_remove(struct core *core, uint32_t rcpt)
{
	struct wheel *w = &core->wheel;
	struct rcpt *r = rcpt_at(core, rcpt);
	uint32_t slot = r->at & WHEEL_MASK;

	if ((r->flags & RCPT_OVERDUE) != 0) {
		list_remove(&w->overdue, rcpt_kin(core), rcpt);
	} else if ((r->flags & RCPT_FAR) != 0) {
		list_remove(&w->far, rcpt_kin(core), rcpt);
		w->nfar--;
	} else {
		list_remove(&w->slot[slot], rcpt_kin(core), rcpt);
		if (w->slot[slot] == NIL) {
			unmark(w, slot);
		}
	}
	r->flags &= (uint8_t) ~(RCPT_FAR | RCPT_OVERDUE);
}

/* The first word from i to before end that is not zero, or end. */
static uint32_t
scan(const uint64_t *words, uint32_t i, uint32_t end)
{
	while (i < end && words[i] == 0) {
		i++;
	}
	return i;
}

/* The first slot in use in [from, WHEEL_SLOTS), or WHEEL_SLOTS. */
static uint32_t
next_slot(const struct wheel *w, uint32_t from)
{
	uint32_t word = from / 64;
	uint32_t top;
	uint64_t b = w->bits[word] & ~0ULL << from % 64;

	if (b != 0) {
		return word * 64 + (uint32_t)__builtin_ctzll(b);
	}
	top = ++word / 64;
	if (top == WHEEL_SLOTS / 4096) {
		return WHEEL_SLOTS;
	}
	b = w->sum[top] & ~0ULL << word % 64;
	if (b == 0) {
		top = scan(w->sum, top + 1, WHEEL_SLOTS / 4096);
		if (top == WHEEL_SLOTS / 4096) {
			return WHEEL_SLOTS;
		}
		b = w->sum[top];
	}
	word = top * 64 + (uint32_t)__builtin_ctzll(b);
	return word * 64 + (uint32_t)__builtin_ctzll(w->bits[word]);
}

/* The due second of the next slot in use; UINT32_MAX: none. */
static uint32_t
next_second(const struct wheel *w)
{
	uint32_t from = (w->now_s + 1) & WHEEL_MASK;
	uint32_t slot = next_slot(w, from);

	if (slot == WHEEL_SLOTS) {
		slot = next_slot(w, 0);
		if (slot == WHEEL_SLOTS) {
			return UINT32_MAX;
		}
	}
	return w->now_s + 1 + ((slot - from) & WHEEL_MASK);
}

uint32_t
wheel_next(const struct core *core)
{
	const struct wheel *w = &core->wheel;
	uint32_t s = next_second(w);

	if (w->overdue != NIL || w->far_left > 0) {
		return core->now_s;
	}
	if (w->nfar > 0 && w->far_check_s < s) {
		return w->far_check_s;
	}
	return s;
}

static bool
drain(struct core *core, uint32_t *head)
{
	while (*head != NIL) {
		uint32_t rcpt = *head;

		if (core->budget == 0) {
			return false;
		}
		core->budget--;
		rcpt_unlink(core, rcpt);
		rcpt_ready(core, rcpt);
	}
	return true;
}

static bool
check_far(struct core *core)
{
	struct wheel *w = &core->wheel;

	if (core->now_s >= w->far_check_s) {
		w->far_check_s = core->now_s + FAR_CHECK_S;
		w->far_left = w->nfar;
	}
	for (; w->far_left > 0 && w->far != NIL; w->far_left--) {
		uint32_t rcpt = w->far;
		uint32_t due = rcpt_at(core, rcpt)->at;

		if (core->budget == 0) {
			return false;
		}
		core->budget--;
		wheel_remove(core, rcpt);
		wheel_add(core, rcpt, due);
	}
	w->far_left = 0;
	return true;
}

bool
wheel_advance(struct core *core)
{
	struct wheel *w = &core->wheel;

	if (!drain(core, &w->overdue)) {
		return true;
	}
	for (;;) {
		uint32_t s = next_second(w);

		if (s > core->now_s) {
			break;
		}
		/* What is filed for s from here on belongs to this pass. */
		if (!drain(core, &w->slot[s & WHEEL_MASK])) {
			return true;
		}
		w->now_s = s;
	}
	w->now_s = core->now_s;
	return !check_far(core) || w->overdue != NIL;
}
