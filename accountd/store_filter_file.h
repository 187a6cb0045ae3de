/*
 * A filter on disk, so that a start has it at once instead of reading a whole
 * table. Changed blocks are written as keys are added, before the keys are:
 * what the process wrote outlives it, however it ends, so that the file has
 * every key that the table has. It need not outlive the system's memory:
 * nothing is synced before the end, and a file that was in use when the
 * machine went down is not believed, nor one of another database.
 *
 * One thread at a time may call in here.
 */
#ifndef ACCOUNTD_STORE_FILTER_FILE_H
#define ACCOUNTD_STORE_FILTER_FILE_H

#include <stdint.h>

#include "attr.h"
#include "store_filter.h"

struct store_filter_file;

/*
 * Opens the file. When it is to be believed, its bits are added to the filter,
 * which is complete then, and 1 is returned. Else it is begun anew, with a new
 * generation, and 0 is returned: the filter must be filled, and the file.
 *
 * boot         names the time since the machine started; "": unknown
 * generation   what the database has noted; 0: nothing
 *
 * Returns -errno when there can be no file.
 */
int store_filter_file_open(const char *path, const char *boot,
    uint64_t generation, struct store_filter *f,
    struct store_filter_file **out) MUST_CHECK;

/* For the database to note. */
uint64_t store_filter_file_generation(const struct store_filter_file *file);

/* Writes the block at this offset, or all of a piece that begins there; the
 * latter returns its bytes, 0 behind the end. -errno: drop the file. */
int store_filter_file_put(struct store_filter_file *file,
    const struct store_filter *f, uint64_t at) MUST_CHECK;
int64_t store_filter_file_put_piece(struct store_filter_file *file,
    const struct store_filter *f, uint64_t at) MUST_CHECK;

/* All is in it now, so many keys. 0 or -errno: drop the file. */
int store_filter_file_complete(
    struct store_filter_file *file, uint64_t keys) MUST_CHECK;

/* A key was removed from the table: with too many of them the file is not
 * believed at the next start, for the filter would let more and more pass. */
void store_filter_file_note_removed(struct store_filter_file *file);

/* Syncs and closes. NULL allowed. */
void store_filter_file_close(struct store_filter_file **file);

/* Closes and removes a file that could not be written. NULL allowed. */
void store_filter_file_drop(struct store_filter_file **file);

#endif
