/*
 * Whole files, read and written by calls that wait for the disk: at the start,
 * in tools and in helper threads, never in the loop.
 */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include <stddef.h>

#include "attr.h"
#include "buf.h"

/*
 * Appends all that is left to read of fd (the caller's) to out. 0, -EFBIG for
 * more than max bytes, or -errno; out may hold a part then.
 */
int file_read(int fd, size_t max, struct buf *out) MUST_CHECK;

/* The same for the file at path. */
int file_load(const char *path, size_t max, struct buf *out) MUST_CHECK;

/*
 * The same for text that a person wrote: -EINVAL when it holds a NUL byte.
 * error gets a sentence with the path, but not for -ENOENT: whether the file
 * has to be there is the caller's to say.
 */
int file_load_text(const char *path, size_t max, struct buf *out,
    struct buf *error) MUST_CHECK;

/* Writes n bytes at fd's place. 0 or -errno, when a part may be written. Does
 * not sync. */
int file_write(int fd, const void *p, size_t n) MUST_CHECK;

#endif
