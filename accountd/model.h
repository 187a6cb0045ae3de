/*
 * All accounts, keys, domains, hooks and source addresses, in memory: what the
 * store holds, ready for look-ups on the path of each message. Changes go
 * through a struct change, to the store first. (Suppressions and uses of keys
 * are many; they are only in the store.)
 *
 * Objects found here are valid until the next change is committed.
 */
#ifndef ACCOUNTD_MODEL_H
#define ACCOUNTD_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "map.h"
#include "schema.h"
#include "store.h"

struct account {
	struct buf stored; /* what the strings of r point into */
	struct schema_account r;
	char *full_name; /* NAME or NAME/SUB */
};

struct key {
	struct buf stored;
	struct schema_key r;
	LIST_ENTRY(key) of_account; /* the model's */
};

struct domain {
	struct buf stored;
	struct schema_domain r;
};

struct hook {
	struct buf stored;
	struct schema_hook r;
};

struct source {
	struct buf stored;
	struct schema_source r;
};

struct model;

/* Loads everything. 0, or -errno with one line in *error. The store must
 * outlive the model. */
int model_load(
    struct store *s, struct model **out, struct buf *error) MUST_CHECK;
void model_free(struct model **m);

/* NULL: there is none. */
const struct account *model_account(const struct model *m, uint32_t id);
const struct account *model_account_named(
    const struct model *m, struct str full_name);
const struct key *model_key(const struct model *m, uint32_t id);
const struct domain *model_domain(
    const struct model *m, uint32_t account, struct str name);
const struct hook *model_hook(const struct model *m, uint32_t id);
const struct source *model_source(const struct model *m, struct str ip);
const struct schema_instance *model_instance(const struct model *m);

/* Has any account a domain of this name? */
bool model_has_domain(const struct model *m, struct str name);

/*
 * Walks one kind in no order; *at begins with 0. NULL at the end. Nothing may
 * be changed meanwhile.
 */
const struct account *model_next_account(const struct model *m, size_t *at);
const struct key *model_next_key(const struct model *m, size_t *at);
const struct domain *model_next_domain(const struct model *m, size_t *at);
const struct hook *model_next_hook(const struct model *m, size_t *at);
const struct source *model_next_source(const struct model *m, size_t *at);

/* The next key of an account and its subaccounts, in no order; NULL: the first,
 * and at the end. Costs nothing for the keys of others. */
const struct key *model_key_of(
    const struct model *m, uint32_t account, const struct key *before);

/* Is any address in the pool (empty: the default pool, which always is)? */
bool model_has_pool(const struct model *m, struct str pool);

/*
 * The domain of the account that contains the name (the name itself or the
 * closest parent), with that state or, state < 0, any. NULL: none.
 */
const struct domain *model_domain_within(
    const struct model *m, uint32_t account, struct str name, int state);

/* ---- changes: all or nothing --------------------------------------------- */

struct change;

/* Never NULL. */
struct change *change_begin(struct model *m);

/* A new number for an account, key or hook; never given out again. */
uint32_t change_new_id(struct change *c);

/* Adds or replaces a record (account, key, domain, hook, source,
 * instance). Returns 0,
 * or -EMSGSIZE when a text is too long. */
int change_put(
    struct change *c, enum schema_kind kind, const void *rec) MUST_CHECK;
/* Removes the record with that key (its other fields do not matter). */
void change_del(struct change *c, enum schema_kind kind, const void *rec);

/*
 * Commits to the store, then changes the model. c is freed in any case.
 * Returns 0 or -errno: then nothing has changed. Durable after store_sync.
 */
int change_commit(struct change **c) MUST_CHECK;
void change_abort(struct change **c); /* NULL allowed */

/* Keys of the store, appended to *out. */
void model_key_u32(struct buf *out, uint32_t n);

#endif
