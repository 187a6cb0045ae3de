/*
 * Journal files for tests of those who read them.
 */
#ifndef TESTS_JOURNAL_FILES_H
#define TESTS_JOURNAL_FILES_H

#include <stdint.h>

#include "buf.h"
#include "event.h"

struct journal_file {
	int fd; /* read and write; close it */
	uint32_t number;
	uint64_t off; /* of the next batch */
	uint32_t index;
	struct buf recs; /* of the forming batch */
	uint32_t n_recs;
};

/* In directory dir (an open one), or -1: without a name. */
void journal_file_make(
    struct journal_file *f, int dir, uint32_t number, uint64_t created_us);
void journal_file_close(struct journal_file *f);

/* Adds to the forming batch; returns the record's lsn. */
uint64_t journal_file_add(
    struct journal_file *f, enum event_type type, const void *event);

/* Writes the batch. Returns the lsn of its end. */
uint64_t journal_file_commit(struct journal_file *f, uint64_t time_us);

#endif
