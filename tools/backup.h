/*
 * packetboat backup and restore: what cannot be made anew, in a directory.
 */
#ifndef TOOLS_BACKUP_H
#define TOOLS_BACKUP_H

#include <stdbool.h>

/*
 * Makes the directory to (it must not be there, or be empty) and copies into
 * it: accountd's database, signd's keys, the configuration, and a list of the
 * files with their sizes and checksums, written last. is_running: the suite
 * runs, and accountd makes the copy of its database. Returns a status of
 * sysexits.h, having said what is wrong.
 */
int backup_make(const char *to, bool is_running);

/*
 * Checks the directory against its list, and copies database and keys to
 * state_directory, where there must be none. The suite must not run. The
 * configuration is not touched. Returns as backup_make.
 */
int backup_restore(const char *from);

#endif
