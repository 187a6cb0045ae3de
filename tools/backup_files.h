/*
 * Trees of files that are copied whole, and the list that says what is whole.
 */
#ifndef TOOLS_BACKUP_FILES_H
#define TOOLS_BACKUP_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "attr.h"

/* The list's name in a backup. */
#define BACKUP_LIST "contents"
/* What it begins and ends with: without the end the backup is not whole. */
#define BACKUP_FIRST_LINE "packetboat backup 1"
#define BACKUP_LAST_LINE "end"

/*
 * Copies the files below from (relative to the current root, any depth; links
 * are not followed, names that begin with a point not taken) to the directory
 * to, which is made, mode 0700; files get mode 0600. Everything is synced.
 * list, when not NULL, gets a line for each file, with name in front of its
 * path. Returns 0 or -errno, having said which file.
 */
int backup_copy_tree(
    const char *from, const char *to, const char *name, FILE *list) MUST_CHECK;

/* The same for the plain files of one directory. */
int backup_copy_flat(
    const char *from, const char *to, const char *name, FILE *list) MUST_CHECK;

/* Gives a tree to a user. 0 or -errno, as above. */
int backup_give(const char *path, unsigned uid, unsigned gid) MUST_CHECK;

/* Is there anything in the directory? A missing one has nothing. */
bool backup_is_empty(const char *path);

/* Makes names in a directory durable. 0 or -errno. */
int backup_sync(const char *path) MUST_CHECK;

/*
 * Reads dir's list, and every file that it names. 0; -EBADMSG: a file is
 * missing, changed, or the list is no list (said); -ENOENT: there is none.
 */
int backup_check(const char *dir) MUST_CHECK;

#endif
