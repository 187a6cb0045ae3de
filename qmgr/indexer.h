/*
 * Makes the indexes of journal files that will not grow (journal_index.h), in
 * a thread of its own: they take a while, nobody waits for them, and the
 * journal's next file must not.
 */
#ifndef QMGR_INDEXER_H
#define QMGR_INDEXER_H

#include <stdint.h>

#include "attr.h"

struct indexer;

/* Starts the thread, in the working directory. It first removes indexes that
 * have no journal file any more. Never NULL. */
struct indexer *indexer_new(void);

/* Ends after the file under way; the others are made after the next start. */
void indexer_free(struct indexer **x);

/* The file is complete. One that has an index, or is not there, costs
 * nothing. What failed before is logged now. */
void indexer_add(struct indexer *x, uint32_t number);

/* Files added and not done. */
unsigned indexer_pending(struct indexer *x);

#endif
