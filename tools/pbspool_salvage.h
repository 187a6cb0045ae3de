/*
 * pbspool salvage: messages out of a spool into files of their own.
 */
#ifndef TOOLS_PBSPOOL_SALVAGE_H
#define TOOLS_PBSPOOL_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "map.h"
#include "pbspool_files.h"

struct pbspool_salvage {
	const struct pbspool_files *files;
	int out;	 /* an open directory, not owned */
	bool is_json;	 /* what is said about each message */
	bool only_alive; /* those that were still to be sent */
	struct map *ids; /* only these, if not NULL; values are changed to
			  * PBSPOOL_FOUND as they are found */

	/* found: */
	uint64_t written;
	uint64_t present; /* not written, as the file was there before */
	uint64_t broken;  /* wanted, and not whole in any place */
};

/* A value in ids of a message that was found, whole or not. */
extern const char PBSPOOL_FOUND[];

/*
 * Writes each intact message that is wanted as ID.eml and ID.json with mode
 * 0600; files that are there are left as they are. Returns 0 or -errno with
 * the path in *where.
 */
int pbspool_salvage(struct pbspool_salvage *s, struct buf *where) MUST_CHECK;

#endif
