/*
 * Where records are kept: tables of byte strings with transactions. This is
 * all that the rest of accountd knows of a database; store_db.c stands behind
 * it with Berkeley DB, another engine could.
 *
 * A commit takes effect at once and is atomic; it is durable when the next
 * store_sync has called back. Only one thread calls in here.
 */
#ifndef ACCOUNTD_STORE_H
#define ACCOUNTD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* Numbers are big-endian in keys, so that their order is the keys' order. */
enum store_table {
	STORE_INSTANCE,	   /* empty key */
	STORE_ACCOUNT,	   /* u32 id */
	STORE_KEY,	   /* u32 id */
	STORE_KEY_USE,	   /* u32 key, address as text */
	STORE_DOMAIN,	   /* u32 account, name */
	STORE_HOOK,	   /* u32 id */
	STORE_SUPPRESSION, /* u32 account, u32 subaccount, address */
	STORE_TALLY,	   /* u32 account or subaccount */
	STORE_CURSOR,	   /* empty key */
	STORE_SOURCE,	   /* address as text */
	STORE_WARM,	   /* address as text, NUL, provider */
	STORE_WARM_SENT,   /* message id, u16 recipient */
	STORE_NOTICE,	   /* u64 id */
	STORE_FILTER,	   /* empty key: the generation of the filter's file */
	STORE_TABLES,
};

/* The longest key, bytes. */
#define STORE_KEY_MAX 1100

struct store;
struct store_txn;

struct store_options {
	const char *directory;
	uint64_t cache_size;	   /* bytes */
	uint64_t checkpoint_us;	   /* between checkpoints; 0: none */
	uint64_t checkpoint_bytes; /* written before one; 0: any number */
	uint64_t min_free;	   /* bytes; with less there are no changes */
	uint64_t filter_bytes;	   /* for suppressions' keys; 0: no filter */
	/* Names the time since the machine started; NULL or "": unknown, then
	 * the filter's file is only believed after a store_close. */
	const char *boot;
};

/*
 * Opens the store, made if it is not there, and recovers it after a crash.
 * Needs a loop. Returns 0 or -errno, with one line in *error.
 */
int store_open(const struct store_options *o, struct store **out,
    struct buf *error) MUST_CHECK;

/* Waits for what is being synced (its callbacks run), and closes. */
void store_close(struct store **s);

/* Begins a transaction. -EIO when the database is broken; -ENOSPC while less
 * than min_free is free: what was committed before is as durable as ever. */
int store_begin(struct store *s, struct store_txn **out) MUST_CHECK;
/* Returns 0, -ENOSPC, -ENOMEM or -EIO; then the transaction must be aborted. */
int store_put(struct store_txn *t, enum store_table table, struct str key,
    struct str value) MUST_CHECK;
/* The same; a key that is not there is no error. */
int store_del(
    struct store_txn *t, enum store_table table, struct str key) MUST_CHECK;
/* Ends the transaction in any case. 0, or as store_put and nothing is done. */
int store_commit(struct store_txn **t) MUST_CHECK;
void store_abort(struct store_txn **t); /* NULL allowed */

/* Appends the value to *value. Returns 0, -ENOENT or -EIO. Sees what the open
 * transaction did when t is not NULL. */
int store_get(struct store *s, struct store_txn *t, enum store_table table,
    struct str key, struct buf *value) MUST_CHECK;

/* Whether keys that are not in STORE_SUPPRESSION are known without the disk:
 * at once after store_open, or when a thread has read the table. */
bool store_is_filtered(const struct store *s);

/*
 * Calls fn for each record whose key begins with prefix, in the keys' order,
 * until it returns non-zero; returns that, 0 or -EIO. fn must not write, and
 * no transaction may be open: the two would wait for each other.
 */
typedef int store_fn(void *arg, struct str key, struct str value);
int store_each(struct store *s, enum store_table table, struct str prefix,
    store_fn *fn, void *arg) MUST_CHECK;

/* The same for keys behind a key; an empty one: all. */
int store_each_after(struct store *s, enum store_table table, struct str prefix,
    struct str after, store_fn *fn, void *arg) MUST_CHECK;

/*
 * Calls fn(arg, status) from the loop once all commits made before are
 * durable (status 0), or cannot be: then the store is broken for good, and
 * the process should end, so that recovery runs.
 */
typedef void store_sync_fn(void *arg, int status);
void store_sync(struct store *s, store_sync_fn *fn, void *arg);

/* The same at once, waiting for the disk: only before the process is ready. */
int store_sync_now(struct store *s) MUST_CHECK;

/*
 * Copies the store into the directory to, made if it is not there and emptied
 * of logs if it is: all that was committed before the call, and perhaps what is
 * committed until fn is called. Opening the copy recovers it. A thread does it;
 * reading, changing and syncing go on. fn(arg, status) comes from the loop.
 * Returns 0, -EBUSY while another copy is made, or -ENOSPC, when less than
 * min_free would be left.
 */
int store_backup(
    struct store *s, const char *to, store_sync_fn *fn, void *arg) MUST_CHECK;

/* Forgets a callback by its argument (a tool that has gone away). */
void store_sync_forget(struct store *s, void *arg);

#endif
