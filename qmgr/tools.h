/*
 * Commands of pbqueue(1), pbcat(1) and pbtls(1).
 */
#ifndef QMGR_TOOLS_H
#define QMGR_TOOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "core_view.h"
#include "event.h"
#include "tool.h"

struct qmgr;

void tools_run(struct qmgr *q, struct tool *t);
/* A command of the core has seen every message. */
void tools_admin_done(struct qmgr *q, uint32_t command, uint64_t count);
void tools_fini(struct qmgr *q);

/*
 * A command that goes on over several turns. What it needs begins with this.
 */
struct run {
	struct run *next;
	struct run **prev;
	struct qmgr *q;
	struct tool *tool; /* NULL: it has gone away */
	void (*free)(struct run *r);
	void (*drained)(struct run *r);
};

/* Enters it. free_fn is called when it ends or the tool goes away; drained
 * (may be NULL) when output may go on. */
void run_begin(struct run *r, struct qmgr *q, struct tool *t,
    void (*free_fn)(struct run *r), void (*drained)(struct run *r));
void run_end(struct run *r);
/* The list of all. */
struct run *runs_first(const struct qmgr *q);

/* ---- selectors ---------------------------------------------------------- */

/* What --account, --domain ... select; the texts are in lower case. */
struct selection {
	struct qmgr *q;
	struct core_selector core;
	char *sender;
	char *recipient;
	char *tag;
	bool is_nothing; /* a name that nobody has */
	/* the record read last */
	uint32_t msg;
	struct buf record;
	struct event_accepted accepted;
	bool has_record;
};

/* From the tool's arguments. Returns 0, or -ENOENT with the tool ended: an
 * account that there is not. */
int selection_init(
    struct selection *s, struct qmgr *q, struct tool *t) MUST_CHECK;
void selection_fini(struct selection *s);
/* Reads the message's record into s->accepted, unless it is there. */
bool selection_read(struct selection *s, uint32_t msg);
/* Whether any selector was given. */
bool selection_is_given(struct tool *t);

/* ---- the commands ------------------------------------------------------- */

void tool_list(struct qmgr *q, struct tool *t);
void tool_admin(struct qmgr *q, struct tool *t, enum core_command cmd);
void tool_sites(struct qmgr *q, struct tool *t);
/* What an administrator wants of a site or provider. */
enum shape_verb { SHAPE_SUSPEND, SHAPE_RESUME, SHAPE_LIMIT };

void tool_shape(struct qmgr *q, struct tool *t, enum shape_verb verb);
/* Adds to a path of tool_sites its limits and the effects on it. */
void tool_shape_path(struct qmgr *q, json_t *o, const struct core_path_view *v);
/* Effects on what has no path now. */
void tool_shape_rest(struct qmgr *q, struct tool *t);
void tool_where(struct qmgr *q, struct tool *t);
void tool_explain(struct qmgr *q, struct tool *t);
/* A path as pbqueue sites shows it. */
json_t *tool_path_json(struct qmgr *q, const struct core_path_view *v);

/* tool_admin's part of tools_admin_done. */
void tool_admin_done(struct qmgr *q, uint32_t command, uint64_t count);

#endif
