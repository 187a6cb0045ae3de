/*
 * The limits of an API key, as a tool gives them.
 */
#ifndef ACCOUNTD_KEY_DRAFT_H
#define ACCOUNTD_KEY_DRAFT_H

#include <stdbool.h>

#include "buf.h"
#include "schema.h"
#include "tool.h"

/* A key's record, with the texts that it points to besides those of the tool
 * and of the record that it began as. */
struct key_draft {
	struct schema_key r;
	struct buf networks;
	struct buf methods;
	struct buf from;
};

/*
 * Takes in label, networks, methods, from and expires, of those that the tool
 * names; an empty one is no limit. False: the tool has been told its mistake.
 */
bool key_draft_take(struct tool *t, struct key_draft *d);
void key_draft_fini(struct key_draft *d);

/* Appends what is another one now, for people; nothing if all is the same. */
void key_draft_print(const struct schema_key *before,
    const struct schema_key *now, struct buf *out);

#endif
