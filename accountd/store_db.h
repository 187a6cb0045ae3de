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
#include "store_filter_file.h"
#include "store_helper.h"
#include "store_space.h"
#include "store_sync.h"

#define STORE_FILE "packetboat.db"

struct store {
	DB_ENV *env;
	DB *tables[STORE_TABLES];
	struct store_syncer *syncer;
	struct store_filter *filter; /* of STORE_SUPPRESSION; NULL: none */
	struct store_helper *filler; /* NULL: it was all in its file */
	/* Guarded by writing. NULL: none, or it could not be written. */
	struct store_filter_file *filter_file;
	bool is_written; /* each key is written to it as it is added */
	uint64_t filled; /* by the filler: keys, */
	int file_status; /* and how it got on with the file */
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

/* ---- the filter: store_filling.c ----------------------------------------- */

/* Has it read from its file, or filled by a thread. */
void store_filling_start(struct store *s, const struct store_options *o);
/* Ends the thread; afterwards the file is closed. */
void store_filling_stop(struct store *s);
void store_filling_end(struct store *s);

/* Inside a transaction, before a key of STORE_SUPPRESSION is put, and when one
 * is removed. */
void store_filling_note(struct store *s, struct str key);
void store_filling_note_removed(struct store *s);

#endif
