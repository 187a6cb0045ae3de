/*
 * Who waits for the answer of a look-up that is under way.
 */
#ifndef ACCOUNTD_WAITERS_H
#define ACCOUNTD_WAITERS_H

#include <stdbool.h>

/* is_told: resolvd has answered. */
typedef void waiter_fn(void *arg, bool is_told);

/* All zero: nobody. */
struct waiters {
	struct waiter *first;
};

void waiters_add(struct waiters *w, waiter_fn *fn, void *arg);

/* Who was added with this argument will not be called. */
void waiters_forget(struct waiters *w, const void *arg);

/*
 * Calls each once; the last one added is the first. What the list was part
 * of may be gone before: it is taken over first, so that who is added
 * meanwhile waits for the next answer.
 */
void waiters_call(struct waiters w, bool is_told);
struct waiters waiters_take(struct waiters *w);

/* Nobody is called. */
void waiters_fini(struct waiters *w);

#endif
