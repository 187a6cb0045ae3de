#include "tools.h"

#include <string.h>
#include <sysexits.h>

#include "buf.h"
#include "qmgr.h"
#include "tls_learn.h"

struct runs {
	struct run *first;
};

static const struct {
	const char *name;
	enum core_command cmd;
} commands[] = {
	{ "queue.hold", CORE_CMD_HOLD },
	{ "queue.release", CORE_CMD_RELEASE },
	{ "queue.delete", CORE_CMD_DELETE },
	{ "queue.retry", CORE_CMD_RETRY },
};

static const struct {
	const char *name;
	enum shape_verb verb;
} verbs[] = {
	{ "queue.suspend", SHAPE_SUSPEND },
	{ "queue.resume", SHAPE_RESUME },
	{ "queue.limit", SHAPE_LIMIT },
};

void
tools_run(struct qmgr *q, struct tool *t)
{
	const char *name = tool_command(t);

	if (strcmp(name, "explain.queue") == 0) {
		tool_explain(q, t);
		return;
	}
	if (strcmp(name, "queue.list") == 0) {
		tool_list(q, t);
		return;
	}
	if (strcmp(name, "queue.sites") == 0) {
		tool_sites(q, t);
		return;
	}
	if (strcmp(name, "queue.where") == 0) {
		tool_where(q, t);
		return;
	}
	if (strncmp(name, "tls.", 4) == 0) {
		tool_tls(q, t);
		return;
	}
	for (size_t i = 0; i < array_len(verbs); i++) {
		if (strcmp(name, verbs[i].name) == 0) {
			tool_shape(q, t, verbs[i].verb);
			return;
		}
	}
	for (size_t i = 0; i < array_len(commands); i++) {
		if (strcmp(name, commands[i].name) == 0) {
			tool_admin(q, t, commands[i].cmd);
			return;
		}
	}
	tool_end(t, EX_USAGE, "qmgr knows no such command");
}

void
tools_admin_done(struct qmgr *q, uint32_t command, uint64_t count)
{
	tool_admin_done(q, command, count);
}

/* ---- runs --------------------------------------------------------------- */

static void
on_gone(struct tool *t, void *arg)
{
	struct run *r = arg;

	(void)t;
	r->tool = NULL;
	run_end(r);
}

static void
on_drained(struct tool *t, void *arg)
{
	struct run *r = arg;

	(void)t;
	if (r->drained != NULL) {
		r->drained(r);
	}
}

void
run_begin(struct run *r, struct qmgr *q, struct tool *t,
    void (*free_fn)(struct run *r), void (*drained)(struct run *r))
{
	if (q->runs == NULL) {
		q->runs = mem_alloc(sizeof(*q->runs));
	}
	r->q = q;
	r->tool = t;
	r->free = free_fn;
	r->drained = drained;
	r->next = q->runs->first;
	r->prev = &q->runs->first;
	if (r->next != NULL) {
		r->next->prev = &r->next;
	}
	q->runs->first = r;
	tool_async(t, on_gone, on_drained, r);
}

void
run_end(struct run *r)
{
	*r->prev = r->next;
	if (r->next != NULL) {
		r->next->prev = r->prev;
	}
	r->free(r);
}

struct run *
runs_first(const struct qmgr *q)
{
	return q->runs != NULL ? q->runs->first : NULL;
}

void
tools_fini(struct qmgr *q)
{
	while (runs_first(q) != NULL) {
		run_end(runs_first(q));
	}
	free(q->runs);
	q->runs = NULL;
}
