/*
 * Between model.c and change.c: the inside of the model.
 */
#ifndef ACCOUNTD_CHANGE_H
#define ACCOUNTD_CHANGE_H

#include "model.h"

LIST_HEAD(keys, key);

struct model {
	struct store *store;
	struct map *accounts;	  /* by id */
	struct map *names;	  /* full name to account */
	struct map *keys;	  /* by id */
	struct map *keys_of;	  /* account to struct keys */
	struct map *domains;	  /* by key of the store */
	struct map *domain_names; /* name to how many */
	struct map *hooks;	  /* by id */
	struct map *sources;	  /* by address */
	struct buf instance_stored;
	struct schema_instance instance;
};

/* Which table holds a kind of record. */
enum store_table model_table(enum schema_kind kind);

/* Takes in a stored record, in the place of one with its key. 0, -EBADMSG or
 * -EPROTO. The same for loading and for changing. */
int model_apply(struct model *m, enum schema_kind kind, struct str key,
    struct str stored) MUST_CHECK;
void model_remove(struct model *m, enum schema_kind kind, struct str key);

#endif
