#include "tx.h"

#include <string.h>

#include "bigfile.h"
#include "clock.h"
#include "control.h"
#include "service.h"

/* A client that was silent for longer is not waited for with a sync. */
#define SOON_US 5000
#define SOON_MAX 64

/* Objects and buffers kept for the next transactions. */
#define POOL_MAX 64
#define POOL_BYTES (32 * 1024)

static struct tx *newest; /* of the open ones, by their last activity */
static struct tx *pool[POOL_MAX];
static unsigned n_pool;

static void
list_append(struct tx *tx)
{
	tx->older = newest;
	tx->newer = NULL;
	if (newest != NULL) {
		newest->newer = tx;
	}
	newest = tx;
	tx->is_open = true;
}

void
tx_unlist(struct tx *tx)
{
	if (!tx->is_open) {
		return;
	}
	if (tx->newer != NULL) {
		tx->newer->older = tx->older;
	} else {
		newest = tx->older;
	}
	if (tx->older != NULL) {
		tx->older->newer = tx->newer;
	}
	tx->older = NULL;
	tx->newer = NULL;
	tx->is_open = false;
}

void
tx_touch(struct tx *tx)
{
	tx->active_us = clock_mono_us();
	if (tx->is_open && newest != tx) {
		tx_unlist(tx);
		list_append(tx);
	}
}

unsigned
tx_expected(void)
{
	uint64_t now = clock_mono_us();
	unsigned n = 0;

	for (const struct tx *tx = newest; tx != NULL && n < SOON_MAX;
	     tx = tx->older) {
		if (now - tx->active_us > SOON_US) {
			break;
		}
		n++;
	}
	return n;
}

struct tx *
tx_new(struct session *s)
{
	struct tx *tx = n_pool > 0 ? pool[--n_pool] : mem_alloc(sizeof(*tx));

	tx->session = s;
	tx->active_us = clock_mono_us();
	tx->class = CLASS_STANDARD;
	list_append(tx);
	return tx;
}

/* Empties an object but keeps the memory of its usual buffers. */
static void
tx_clear(struct tx *tx)
{
	struct buf content = tx->content;
	struct buf rcpts = tx->rcpts;
	struct buf added = tx->added;
	struct buf prefix = tx->prefix;

	control_clear(&tx->wishes);
	buf_fini(&tx->kept);
	buf_fini(&tx->blocked);
	dkim_body_fini(&tx->hash);
	buf_clear(&content, POOL_BYTES);
	buf_clear(&rcpts, POOL_BYTES);
	buf_clear(&added, POOL_BYTES);
	buf_clear(&prefix, POOL_BYTES);
	*tx = (struct tx){ .content = content,
		.rcpts = rcpts,
		.added = added,
		.prefix = prefix };
}

static void
tx_destroy(struct tx *tx)
{
	buf_fini(&tx->content);
	buf_fini(&tx->rcpts);
	buf_fini(&tx->added);
	buf_fini(&tx->prefix);
	free(tx);
}

void
tx_free(struct tx *tx)
{
	tx_unlist(tx);
	bug_on(tx->is_parked);
	bigfile_close(&tx->big, false);
	tx_clear(tx);
	if (n_pool < POOL_MAX) {
		pool[n_pool++] = tx;
	} else {
		tx_destroy(tx);
	}
}

void
tx_abandon(struct tx *tx)
{
	if (tx->is_stored || tx->is_parked) {
		tx->session = NULL;
		return;
	}
	ask_cancel(&tx->ask);
	tx_free(tx);
}

int
tx_ask(struct tx *tx, enum role role, enum ipc_type type, const void *req,
    int fd, peer_reply_fn *fn)
{
	return ask_new(&tx->ask, role, type, req, fd, fn, tx);
}

void
tx_fini(void)
{
	while (n_pool > 0) {
		tx_destroy(pool[--n_pool]);
	}
}
