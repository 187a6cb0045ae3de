/*
 * Is there room for changes on the store's file system? What is left when
 * there is none belongs to what was committed before: its log is flushed and
 * its pages are written with it, so that look-ups go on.
 */
#ifndef ACCOUNTD_STORE_SPACE_H
#define ACCOUNTD_STORE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

/* Bytes free for this process on the file system of the directory; UINT64_MAX
 * when that is not known. */
uint64_t store_space_free(const char *directory);

/* Remembers what was said: one line when space is short, one when it is over.
 */
struct store_space {
	const char *directory;
	uint64_t min_free; /* bytes; 0: never short */
	bool is_short;
};

/* Whether less than min_free is free now; *began: since this call. */
bool store_space_is_short(struct store_space *s, bool *began);

#endif
