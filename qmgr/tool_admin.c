/*
 * hold, release, retry, delete: by ids (from the arguments or standard
 * input), by selectors, or all. The tool hears of success when the journal
 * has it.
 */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "qmgr.h"
#include "tools.h"

/* Commands given to the core at a time; it takes 64 from all tools. */
#define WINDOW 8

struct admin {
	struct run run;
	struct selection sel;
	enum core_command cmd;
	struct buf ids;	      /* lines that are not used yet */
	bool is_reading;      /* more may come */
	uint32_t out[WINDOW]; /* numbers of commands in the core; 0: free */
	uint64_t changed;     /* recipients */
	uint64_t missing;     /* ids that are not queued */
	bool is_written;      /* waiting for the journal only */
	struct loop_timer *retry;
};

static void
admin_free(struct run *r)
{
	struct admin *a = container_of(r, struct admin, run);

	loop_timer_free(&a->retry);
	selection_fini(&a->sel);
	buf_fini(&a->ids);
	free(a);
}

static const char *
name_of(enum core_command cmd)
{
	switch (cmd) {
	case CORE_CMD_HOLD:
		return "held";
	case CORE_CMD_RELEASE:
		return "released";
	case CORE_CMD_DELETE:
		return "deleted";
	case CORE_CMD_RETRY:
		return "due again";
	}
	return "changed";
}

/* ---- the end ------------------------------------------------------------ */

/* The run may be gone by now: it is looked for. */
static void
on_durable(void *arg, uint64_t lsn, uint64_t run, uint64_t zero)
{
	struct qmgr *q = arg;
	struct run *r = runs_first(q);
	struct admin *a;

	(void)lsn;
	(void)zero;
	while (r != NULL && (uint64_t)(uintptr_t)r != run) {
		r = r->next;
	}
	if (r == NULL) {
		return;
	}
	a = container_of(r, struct admin, run);
	tool_out(r->tool,
	    json_pack("{s:s,s:I,s:I}", "done", name_of(a->cmd), "recipients",
		(json_int_t)a->changed, "missing", (json_int_t)a->missing));
	log_info("%" PRIu64 " recipients are %s by uid %u", a->changed,
	    name_of(a->cmd), tool_uid(r->tool));
	tool_end(r->tool, EX_OK, NULL);
	run_end(r);
}

static void
finish(struct admin *a)
{
	if (a->is_written) {
		return;
	}
	a->is_written = true;
	jrn_after(a->run.q->jrn, on_durable, (uint64_t)(uintptr_t)&a->run, 0);
}

/* ---- commands to the core ----------------------------------------------- */

static int
free_place(const struct admin *a)
{
	for (int i = 0; i < WINDOW; i++) {
		if (a->out[i] == 0) {
			return i;
		}
	}
	return -1;
}

static bool
is_idle(const struct admin *a)
{
	for (int i = 0; i < WINDOW; i++) {
		if (a->out[i] != 0) {
			return false;
		}
	}
	return true;
}

/* False: the core takes no more now. */
static bool
give(struct admin *a, uint32_t msg)
{
	struct core_selector s = a->sel.core;
	int place = free_place(a);
	uint32_t number;

	if (place < 0) {
		return false;
	}
	s.msg = msg;
	number = core_admin(a->run.q->core, a->cmd, &s);
	if (number == 0) {
		loop_timer_arm(a->retry, 10 * US_PER_MS);
		return false;
	}
	a->out[place] = number;
	turn_wanted(a->run.q);
	return true;
}

static void
not_found(struct admin *a, struct str id)
{
	char text[64];

	a->missing++;
	tool_out(a->run.tool,
	    json_pack("{s:s,s:s}", "queue_id", str_safe(text, sizeof(text), id),
		"error", "not in the queue"));
}

/* The first whole line, if there is one. */
static bool
next_id(struct admin *a, struct str *id)
{
	struct str all = buf_str(&a->ids);
	const char *end = all.len != 0 ? memchr(all.p, '\n', all.len) : NULL;

	if (end == NULL && (a->is_reading || all.len == 0)) {
		return false;
	}
	*id = (struct str){ all.p,
		end != NULL ? (size_t)(end - all.p) : all.len };
	return true;
}

static void
drop_id(struct admin *a, struct str id)
{
	size_t n = id.len + 1;

	buf_drop(&a->ids, n < a->ids.len ? n : a->ids.len);
}

static bool
give_id(struct admin *a, struct str id)
{
	struct str trimmed = str_trim(id);
	struct uuid uuid;
	uint32_t msg = CORE_NONE;

	if (trimmed.len == 0) {
		return true;
	}
	if (uuid_parse(trimmed, &uuid) == 0) {
		msg = core_find(a->run.q->core, &uuid);
	}
	if (msg == CORE_NONE) {
		not_found(a, trimmed);
		return true;
	}
	return give(a, msg);
}

static void
go_on(struct admin *a)
{
	struct str id;

	while (next_id(a, &id)) {
		if (!give_id(a, id)) {
			return;
		}
		drop_id(a, id);
	}
	if (!a->is_reading && is_idle(a)) {
		finish(a);
	}
}

static void
on_retry(void *arg)
{
	go_on(arg);
}

void
tool_admin_done(struct qmgr *q, uint32_t command, uint64_t count)
{
	for (struct run *r = runs_first(q); r != NULL; r = r->next) {
		struct admin *a = container_of(r, struct admin, run);

		if (r->free != admin_free) {
			continue;
		}
		for (int i = 0; i < WINDOW; i++) {
			if (a->out[i] == command) {
				a->out[i] = 0;
				a->changed += count;
				go_on(a);
				return;
			}
		}
	}
}

/* ---- beginning ---------------------------------------------------------- */

static void
on_data(struct tool *t, struct str data, int is_last, void *arg)
{
	struct admin *a = arg;

	(void)t;
	buf_add(&a->ids, data.p, data.len);
	if (is_last) {
		a->is_reading = false;
	}
	go_on(a);
}

static void
take_ids(struct admin *a, struct tool *t)
{
	json_t *ids = json_object_get(tool_args(t), "ids");
	json_t *id;
	size_t i;

	json_array_foreach(ids, i, id)
	{
		buf_puts(
		    &a->ids, json_is_string(id) ? json_string_value(id) : "");
		buf_u8(&a->ids, '\n');
	}
	a->is_reading = json_is_true(json_object_get(tool_args(t), "stdin"));
	if (a->is_reading) {
		tool_read(t, on_data, a);
	}
}

void
tool_admin(struct qmgr *q, struct tool *t, enum core_command cmd)
{
	struct admin *a = mem_alloc(sizeof(*a));
	bool is_all = json_is_true(json_object_get(tool_args(t), "all"));

	a->cmd = cmd;
	if (selection_init(&a->sel, q, t) < 0) {
		free(a);
		return;
	}
	a->retry = loop_timer_new(on_retry, a);
	run_begin(&a->run, q, t, admin_free, NULL);
	take_ids(a, t);
	if (is_all || selection_is_given(t)) {
		a->is_reading = false;
		a->ids.len = 0;
		(void)give(a, CORE_NONE);
		return;
	}
	go_on(a);
}
