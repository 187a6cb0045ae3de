#include "waiters.h"

#include <stdlib.h>

#include "buf.h"

struct waiter {
	struct waiter *next;
	waiter_fn *fn; /* NULL: forgotten */
	void *arg;
};

void
waiters_add(struct waiters *w, waiter_fn *fn, void *arg)
{
	struct waiter *one = mem_alloc(sizeof(*one));

	one->fn = fn;
	one->arg = arg;
	one->next = w->first;
	w->first = one;
}

void
waiters_forget(struct waiters *w, const void *arg)
{
	for (struct waiter *one = w->first; one != NULL; one = one->next) {
		if (one->arg == arg) {
			one->fn = NULL;
		}
	}
}

struct waiters
waiters_take(struct waiters *w)
{
	struct waiters taken = *w;

	w->first = NULL;
	return taken;
}

static void
end(struct waiter *one, bool is_called, bool is_told)
{
	while (one != NULL) {
		struct waiter *next = one->next;

		if (is_called && one->fn != NULL) {
			one->fn(one->arg, is_told);
		}
		free(one);
		one = next;
	}
}

void
waiters_call(struct waiters w, bool is_told)
{
	end(w.first, true, is_told);
}

void
waiters_fini(struct waiters *w)
{
	end(w->first, false, false);
	w->first = NULL;
}
