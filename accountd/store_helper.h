/*
 * A thread for one long piece of work on the store, while everything goes on:
 * a copy of it, or the filling of a filter.
 */
#ifndef ACCOUNTD_STORE_HELPER_H
#define ACCOUNTD_STORE_HELPER_H

#include "store.h"

struct store_helper;

/*
 * Starts the thread: it calls work(engine), which returns 0 or -errno; then
 * the loop calls fn(arg, status). Never NULL.
 */
struct store_helper *store_helper_new(
    int (*work)(void *engine), void *engine, store_sync_fn *fn, void *arg);

/* Whether fn was called. */
bool store_helper_is_done(const struct store_helper *c);

/* Waits for the thread; fn is called if it was not yet. NULL allowed. */
void store_helper_free(struct store_helper **c);

#endif
