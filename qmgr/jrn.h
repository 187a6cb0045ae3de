/*
 * The journal as qmgr writes it: every fact of the queue, in order, durable a
 * little later. A record that could not be written (disk full, error) is kept
 * and written again to a new file; callers only ever hear of success.
 */
#ifndef QMGR_JRN_H
#define QMGR_JRN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "journal.h"
#include "plog.h"
#include "str.h"

struct disk;
struct jrn;

struct jrn_config {
	uint64_t file_size;
	uint32_t wait_us; /* longest between syncs while busy; 0: a default */
	uint32_t next;	  /* number of the first file to make */
	/* The journal is durable up to lsn, the end of a batch. */
	void (*durable)(void *arg, uint64_t lsn);
	/* Nothing will be added to the file. May be NULL. */
	void (*sealed)(void *arg, uint32_t number);
	/* Writing fails, or works again. */
	void (*state)(void *arg, bool is_ok, const char *reason);
	void *arg;
};

/*
 * The record is durable. lsn names it; a and b are as given with it. Called
 * in the order of writing.
 */
typedef void jrn_done_fn(void *arg, uint64_t lsn, uint64_t a, uint64_t b);

/* Never NULL; files are made as they are needed. */
struct jrn *jrn_new(const struct jrn_config *c, struct disk *disk);

/* What is not durable is lost, as at a crash. */
void jrn_free(struct jrn **j);

/* Writes an event. done may be NULL; its first argument is the config's. */
void jrn_write(struct jrn *j, enum event_type type, const void *event,
    jrn_done_fn *done, uint64_t a, uint64_t b);

/* The same with a record that is encoded already. */
void jrn_write_raw(struct jrn *j, enum event_type type, struct str rec,
    jrn_done_fn *done, uint64_t a, uint64_t b);

/* Writes nothing; done is called when all that was written before is durable
 * (its lsn is 0). */
void jrn_after(struct jrn *j, jrn_done_fn *done, uint64_t a, uint64_t b);

/* Whether the last attempt to write succeeded. */
bool jrn_is_ok(const struct jrn *j);

/* Bytes given and not durable yet. */
size_t jrn_pending(const struct jrn *j);

/*
 * Places in the order of writing: of the next record, and the first that is
 * not durable. What was written before a position is durable when
 * jrn_settled has reached it.
 */
uint64_t jrn_position(const struct jrn *j);
uint64_t jrn_settled(const struct jrn *j);

/* End of what is durable in this run; 0 before the first sync. */
uint64_t jrn_durable(const struct jrn *j);

/* Number of the file that is written now; 0: none yet. */
uint32_t jrn_number(const struct jrn *j);

void jrn_stats(const struct jrn *j, struct plog_stats *out);

#endif
