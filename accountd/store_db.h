/*
 * Between store_db.c and store_work.c: the inside of the store with Berkeley
 * DB.
 */
#ifndef ACCOUNTD_STORE_DB_H
#define ACCOUNTD_STORE_DB_H

#include <db.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store.h"
#include "store_filter.h"
#include "store_helper.h"
#include "store_space.h"
#include "store_sync.h"

#define STORE_FILE "packetboat.db"

struct store {
	DB_ENV *env;
	DB *tables[STORE_TABLES];
	struct store_syncer *syncer;
	struct store_filter *filter; /* of STORE_SUPPRESSION; NULL: none */
	struct store_helper *filler;
	atomic_bool is_closing;
	/* Held by a transaction, and by the filler for some records at a time:
	 * the two would wait for each other's pages, in any order. */
	pthread_mutex_t writing;
	bool is_in_txn;
	struct store_space space;
	uint64_t checkpoint_bytes;
	uint64_t written; /* since a checkpoint was asked for */
	/* Held while a copy is made: it begins with a checkpoint, and must have
	 * all that was logged since. */
	pthread_mutex_t no_checkpoint;
	struct store_helper *copier;
	char *copy_to;
	char *directory;
};

/* The library's codes to ours. */
int store_errno(int r);

/* The bytes as the library wants them. */
DBT store_dbt(struct str s);

/* For a store_helper: adds the keys of STORE_SUPPRESSION to the filter. */
int store_fill_filter(void *engine);
void store_filter_filled(void *arg, int status);

#endif
