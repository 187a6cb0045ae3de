#include "ring.h"

#include "buf.h"

#define RING_MIN 64

void
ring_fini(struct ring *r)
{
	free(r->items);
	*r = (struct ring){ 0 };
}

static void
grow(struct ring *r)
{
	size_t cap = r->cap != 0 ? r->cap * 2 : RING_MIN;
	struct ring_item *items = mem_alloc(cap * sizeof(*items));

	for (size_t i = 0; i < r->n; i++) {
		items[i] = *ring_at(r, i);
	}
	free(r->items);
	r->items = items;
	r->cap = cap;
	r->head = 0;
}

bool
ring_push(struct ring *r, struct ring_item item)
{
	if (r->n == RING_MAX) {
		return false;
	}
	if (r->n == r->cap) {
		grow(r);
	}
	r->items[(r->head + r->n) & (r->cap - 1)] = item;
	r->n++;
	return true;
}

const struct ring_item *
ring_at(const struct ring *r, size_t i)
{
	bug_on(i >= r->n);
	return &r->items[(r->head + i) & (r->cap - 1)];
}

void
ring_drop(struct ring *r, size_t n)
{
	bug_on(n > r->n);
	r->n -= n;
	if (r->n == 0) {
		ring_fini(r); /* most endpoints are idle most of the time */
		return;
	}
	r->head = (r->head + n) & (r->cap - 1);
}

struct journal_place
ring_place(const struct ring *r)
{
	const struct ring_item *first = ring_at(r, 0);

	return (struct journal_place){ first->lsn - 1, first->from };
}
