/*
 * pbqueue -p and -j: the queue, one JSON object a message, with the names
 * that postqueue -j has and some more.
 */
#include <errno.h>
#include <sysexits.h>

#include "core_name.h"
#include "qmgr.h"
#include "tenants.h"
#include "tools.h"

#define MESSAGES_PER_SLICE 200

struct list {
	struct run run;
	struct selection sel;
	struct loop_timer *slice;
	uint32_t at;
};

static const char *const state_names[] = {
	[CORE_RCPT_WAITING] = "deferred",
	[CORE_RCPT_RESOLVING] = "resolving",
	[CORE_RCPT_READY] = "ready",
	[CORE_RCPT_INFLIGHT] = "delivering",
	[CORE_RCPT_HELD] = "held",
	[CORE_RCPT_ENDED] = "ended",
};

/* Text of a message may be any bytes; JSON may not. */
static json_t *
text(struct str s)
{
	json_t *j = json_stringn(s.p != NULL ? s.p : "", s.len);
	char safe[1024];

	return j != NULL ? j : json_string(str_safe(safe, sizeof(safe), s));
}

static json_t *
rcpt_object(struct list *l, const struct core_rcpt_view *v, struct str reason)
{
	struct qmgr *q = l->run.q;
	struct event_rcpt r = { 0 };
	json_t *o = json_object();

	if (l->sel.has_record) {
		r = accepted_rcpt(&l->sel.accepted, v->r.ordinal);
	}
	json_object_set_new(o, "address", text(r.address));
	if (v->r.attempts != 0 && reason.len != 0) {
		json_object_set_new(o, "delay_reason", text(reason));
	}
	json_object_set_new(o, "state", json_string(state_names[v->state]));
	json_object_set_new(o, "attempts", json_integer(v->r.attempts));
	json_object_set_new(o, "ordinal", json_integer(v->r.ordinal));
	if (v->r.due_s != 0) {
		json_object_set_new(o, "next_try", json_integer(v->r.due_s));
	}
	json_object_set_new(
	    o, "domain", text(core_domain_name(q->core, v->r.domain)));
	return o;
}

/* Postfix's three queues: what is held, what is being worked on, the rest. */
static const char *
queue_name(const struct core_rcpt_view *v, uint32_t n)
{
	bool is_held = true;

	for (uint32_t i = 0; i < n; i++) {
		if (v[i].state == CORE_RCPT_READY ||
		    v[i].state == CORE_RCPT_INFLIGHT ||
		    v[i].state == CORE_RCPT_RESOLVING) {
			return "active";
		}
		is_held = is_held && v[i].state == CORE_RCPT_HELD;
	}
	return is_held ? "hold" : "deferred";
}

static void
add_facts(struct list *l, json_t *o, const struct core_message *m)
{
	const struct event_accepted *e = &l->sel.accepted;
	struct qmgr *q = l->run.q;

	json_object_set_new(o, "account",
	    json_string(tenants_name(q, m->account, m->subaccount)));
	json_object_set_new(o, "class",
	    json_string(mail_class_name((enum mail_class)m->class)));
	json_object_set_new(o, "expires", json_integer(m->expiry_s));
	if (!l->sel.has_record) {
		return;
	}
	json_object_set_new(o, "message_id", text(e->message_id));
	json_object_set_new(o, "subject", text(e->subject));
	if (e->tags.len != 0) {
		json_object_set_new(o, "tags", text(e->tags));
	}
}

static void
put_message(struct list *l, uint32_t msg, const struct core_message *m,
    const struct core_rcpt_view *v, uint32_t n)
{
	struct str reason = notes_reason(
	    l->run.q->notes, notes_at(l->run.q->notes, msg)->reason);
	json_t *rcpts = json_array();
	json_t *o = json_object();
	char id[UUID_TEXT_SIZE];
	bool has_record;

	has_record = selection_read(&l->sel, msg);
	uuid_print(&m->id, id);
	for (uint32_t i = 0; i < n; i++) {
		if (core_selects(l->run.q->core, &l->sel.core, msg, &v[i])) {
			json_array_append_new(
			    rcpts, rcpt_object(l, &v[i], reason));
		}
	}
	if (json_array_size(rcpts) == 0) {
		json_decref(rcpts);
		json_decref(o);
		return;
	}
	json_object_set_new(o, "queue_name", json_string(queue_name(v, n)));
	json_object_set_new(o, "queue_id", json_string(id));
	json_object_set_new(o, "arrival_time",
	    json_integer((json_int_t)(uuid_wall_ms(&m->id) / 1000)));
	json_object_set_new(o, "message_size",
	    json_integer(
		(json_int_t)(has_record ? l->sel.accepted.size : m->size)));
	json_object_set_new(o, "forced_expire", json_false());
	json_object_set_new(
	    o, "sender", text(has_record ? l->sel.accepted.sender : STR("")));
	add_facts(l, o, m);
	json_object_set_new(o, "recipients", rcpts);
	tool_out(l->run.tool, o);
}

static void
list_message(struct list *l, uint32_t msg)
{
	struct qmgr *q = l->run.q;
	uint32_t n = core_message_rcpts(q->core, msg, NULL, 0);
	struct core_rcpt_view *v = mem_alloc((n + 1) * sizeof(*v));
	struct core_message m;
	uint32_t live;

	if (core_message_get(q->core, msg, &m, &live) == 0 && n != 0 &&
	    m.accept_lsn != 0) {
		n = core_message_rcpts(q->core, msg, v, n);
		put_message(l, msg, &m, v, n);
	}
	free(v);
}

static void
run_slice(void *arg)
{
	struct list *l = arg;
	uint32_t msg;
	int r = -EAGAIN;

	if (tool_is_full(l->run.tool)) {
		return; /* drained goes on */
	}
	for (int i = 0; i < MESSAGES_PER_SLICE; i++) {
		r = core_walk(l->run.q->core, &l->at, &msg);
		if (r != 1) {
			break;
		}
		list_message(l, msg);
	}
	if (r == 0) {
		tool_end(l->run.tool, EX_OK, NULL);
		run_end(&l->run);
		return;
	}
	loop_timer_arm(l->slice, 0);
}

static void
on_drained(struct run *r)
{
	struct list *l = container_of(r, struct list, run);

	loop_timer_arm(l->slice, 0);
}

static void
list_free(struct run *r)
{
	struct list *l = container_of(r, struct list, run);

	loop_timer_free(&l->slice);
	selection_fini(&l->sel);
	free(l);
}

void
tool_list(struct qmgr *q, struct tool *t)
{
	struct list *l = mem_alloc(sizeof(*l));

	if (selection_init(&l->sel, q, t) < 0) {
		free(l);
		return;
	}
	l->slice = loop_timer_new(run_slice, l);
	run_begin(&l->run, q, t, list_free, on_drained);
	loop_timer_arm(l->slice, 0);
}
