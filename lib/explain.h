/*
 * What pbexplain(1) is told: each decision about a mail, with what made it.
 * Every daemon says what it would decide, by the functions that decide about
 * live mail.
 */
#ifndef LIB_EXPLAIN_H
#define LIB_EXPLAIN_H

#include "attr.h"
#include "tool.h"

/* What a decision means for the mail; a later one counts for more. */
enum explain_outcome {
	EXPLAIN_GO,
	EXPLAIN_WAIT,	/* accepted; it waits in the queue */
	EXPLAIN_STOP,	/* accepted; it ends without a delivery */
	EXPLAIN_REFUSE, /* the client hears no */
};

struct explain {
	const char *decision; /* "account", "route" ... */
	enum explain_outcome outcome;
	const char *by;	 /* the parameter or record that decided; or NULL */
	json_t *details; /* an object, taken; or NULL */
};

/* One line of output: e, and the text for people. What is not printable ASCII
 * in texts becomes '?'. */
void explain_put(struct tool *t, const struct explain *e, const char *fmt, ...)
    PRINTF(3, 4);

/* What the daemon that is asked next must know (an object, taken): the tool
 * hands it on as the argument "facts". */
void explain_facts(struct tool *t, json_t *facts);

/* A string of the argument "facts", "" when missing; an integer, or 0. */
const char *explain_fact(const struct tool *t, const char *name);
json_int_t explain_number(const struct tool *t, const char *name);

#endif
