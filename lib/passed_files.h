/*
 * Segments and big files that qmgr has passed, by number: who reads
 * them opens nothing itself.
 */
#ifndef LIB_PASSED_FILES_H
#define LIB_PASSED_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* Takes fd. A descriptor of the same number from before is closed: a new
 * qmgr passes its own. */
void passed_files_add(uint64_t segid, bool is_big, int fd);

/* The descriptor, which stays ours; -1: not there. */
int passed_files_get(uint64_t segid, bool is_big);

void passed_files_drop(uint64_t segid, bool is_big);

/* Closes those of which is_needed says no: a new qmgr drops none of the files
 * that the one before had passed. */
void passed_files_keep(
    bool (*is_needed)(void *arg, uint64_t segid, bool is_big), void *arg);
void passed_files_fini(void);

#endif
