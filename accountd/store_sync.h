/*
 * The helper thread of the store: makes commits durable and takes
 * checkpoints, so that the loop never waits for the disk. Many commits share
 * one sync.
 */
#ifndef ACCOUNTD_STORE_SYNC_H
#define ACCOUNTD_STORE_SYNC_H

#include <stdint.h>

#include "attr.h"
#include "store.h"

struct store_syncer;

/* What the thread calls; both return 0 or -errno. */
struct store_sync_ops {
	int (*flush)(void *engine);
	int (*checkpoint)(void *engine);
};

/* Starts the thread. Never NULL. checkpoint_us 0: no checkpoints. */
struct store_syncer *store_syncer_new(
    const struct store_sync_ops *ops, void *engine, uint64_t checkpoint_us);

/* Syncs what is asked for, calls back, ends the thread. */
void store_syncer_free(struct store_syncer **s);

/* A checkpoint soon, whenever the next one is due. */
void store_syncer_checkpoint(struct store_syncer *s);

/* As store_sync and store_sync_forget. */
void store_syncer_ask(struct store_syncer *s, store_sync_fn *fn, void *arg);
void store_syncer_forget(struct store_syncer *s, void *arg);

#endif
