/*
 * What a confined process may still do. Used by service.c and by resolvd's
 * cages.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include "attr.h"

/*
 * Confines the process for good: no new privileges, not dumpable, Landlock
 * where the kernel has it, and a filter of system calls that kills. allow is a
 * set of SANDBOX_* (service.h); 0 is a process that reads and writes open
 * descriptors. directory: what SANDBOX_FILES means, an open directory, else
 * -1. Returns 0 or -errno.
 */
int sandbox_enter(unsigned allow, int directory) MUST_CHECK;

/*
 * As root: changes the root to the directory, drops all groups and takes the
 * user's ids. Returns 0 or -errno.
 */
int sandbox_drop(const char *root, unsigned uid, unsigned gid) MUST_CHECK;

#endif
