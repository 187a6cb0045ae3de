#include "tx.h"

#include <string.h>

#include "bigfile.h"
#include "control.h"

/* Objects and buffers kept for the next transactions. */
#define POOL_MAX 64
#define POOL_BYTES (32 * 1024)

static struct tx *pool[POOL_MAX];
static unsigned n_pool;

struct tx *
tx_new(struct session *s)
{
	struct tx *tx = n_pool > 0 ? pool[--n_pool] : mem_alloc(sizeof(*tx));

	tx->session = s;
	tx->class = CLASS_STANDARD;
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
