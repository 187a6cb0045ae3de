/*
 * Segments and big files that qmgr has passed, by number. deliver opens
 * nothing itself.
 */
#ifndef DELIVER_FILES_H
#define DELIVER_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* Takes fd. A descriptor of the same number from before is closed: a new
 * qmgr passes its own. */
void files_add(uint64_t segid, bool is_big, int fd);

/* The descriptor, which stays ours; -1: not there. */
int files_get(uint64_t segid, bool is_big);

void files_drop(uint64_t segid, bool is_big);
void files_fini(void);

#endif
