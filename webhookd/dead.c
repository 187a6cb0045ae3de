#include "dead.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

void
dead_fini(struct dead_list *d)
{
	free(d->v);
	*d = (struct dead_list){ 0 };
}

void
dead_copy(struct dead_list *to, const struct dead_list *from)
{
	dead_fini(to);
	if (from->n != 0) {
		to->v = mem_dup(from->v, from->n * sizeof(*from->v));
		to->n = from->n;
	}
}

uint64_t
dead_events(const struct dead_list *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		n += d->v[i].events;
	}
	return n;
}

void
dead_append(struct dead_list *d, const struct dead_range *r)
{
	d->v = mem_resize(d->v, (d->n + 1) * sizeof(*d->v));
	d->v[d->n++] = *r;
}

/* Whether nothing was taken between the two. */
static bool
continues(
    const struct dead_range *a, const struct dead_range *b, uint64_t failing_us)
{
	return a->asked_us == 0 && failing_us != 0 &&
	    a->buried_us >= failing_us && a->last < b->first;
}

static uint64_t
let_go(struct dead_list *d)
{
	for (size_t i = 0; i + 1 < d->n; i++) {
		if (d->v[i].asked_us == 0) {
			uint64_t events = d->v[i].events;

			dead_remove(d, i);
			return events;
		}
	}
	return 0;
}

uint64_t
dead_add(struct dead_list *d, const struct dead_range *r, uint64_t failing_us,
    size_t limit)
{
	struct dead_range *last = d->n != 0 ? &d->v[d->n - 1] : NULL;

	if (last == NULL || !continues(last, r, failing_us)) {
		dead_append(d, r);
		return d->n > limit ? let_go(d) : 0;
	}
	last->last = r->last;
	last->events += r->events;
	last->last_us = r->last_us;
	last->buried_us = r->buried_us;
	return 0;
}

struct dead_range *
dead_next(struct dead_list *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct dead_range r = d->v[i];

		if (r.asked_us != 0) {
			memmove(d->v + 1, d->v, i * sizeof(r));
			d->v[0] = r;
			return d->v;
		}
	}
	return NULL;
}

void
dead_remove(struct dead_list *d, size_t i)
{
	d->n--;
	memmove(d->v + i, d->v + i + 1, (d->n - i) * sizeof(*d->v));
	if (d->n == 0) {
		dead_fini(d);
	}
}
