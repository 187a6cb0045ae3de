#include "buf.h"
#include "core_impl.h"

#define MATCH_COST 20u /* of the shell's test, against a look at a message */

void
core_selector_init(struct core_selector *s)
{
	*s = (struct core_selector){
		.domain = CORE_NONE, .site = CORE_NONE, .msg = CORE_NONE
	};
}

static bool
selects_message(
    const struct core *core, const struct core_selector *s, uint32_t msg)
{
	const struct msg *m = msg_at(core, msg);
	const struct tenant *t;

	if (!m->is_used || (s->msg != CORE_NONE && s->msg != msg)) {
		return false;
	}
	t = tenant_at(core, flow_at(core, m->flow)->tenant);
	return (!s->by_account || s->account == t->account) &&
	    (!s->by_subaccount || s->subaccount == t->sub);
}

static bool
selects_rcpt(const struct core *core, const struct core_selector *s,
    uint32_t msg, uint32_t domain, uint16_t ordinal)
{
	if ((s->domain != CORE_NONE && s->domain != domain) ||
	    (s->site != CORE_NONE && s->site != domain_at(core, domain)->site &&
		s->site != core->relay)) {
		return false;
	}
	return s->match == NULL || s->match(s->arg, msg, ordinal);
}

bool
core_selects(const struct core *core, const struct core_selector *s,
    uint32_t msg, const struct core_rcpt_view *r)
{
	return selects_message(core, s, msg) &&
	    selects_rcpt(core, s, msg, r->r.domain, r->r.ordinal);
}

uint32_t
core_admin(
    struct core *core, enum core_command cmd, const struct core_selector *s)
{
	struct admin *a;

	if (core->nadmin == ADMIN_QUEUE) {
		return 0;
	}
	if (++core->last_command == 0) {
		core->last_command = 1;
	}
	a = &core->admin[(core->admin_first + core->nadmin++) % ADMIN_QUEUE];
	*a = (struct admin){ .id = core->last_command,
		.cmd = cmd,
		.sel = *s,
		.at = s->msg == CORE_NONE ? 1 : s->msg };
	return a->id;
}

bool
core_admin_is_running(const struct core *core)
{
	return core->nadmin > 0;
}

static void
tell(struct core *core, enum core_out_kind kind, uint32_t msg, uint16_t ordinal)
{
	if (core->nnotes == core->max_notes) {
		core->max_notes = core->max_notes * 2 + 64;
		core->notes = mem_resize(
		    core->notes, core->max_notes * sizeof(*core->notes));
	}
	core->notes[core->nnotes++] = (struct note){ kind, msg, ordinal };
}

/* ---- one recipient
 * ------------------------------------------------------------ */

/* When its job is over. False: that is known already. */
static bool
mark(struct rcpt *r, uint8_t flag)
{
	if ((r->flags & (flag | RCPT_TO_DELETE)) != 0) {
		return false;
	}
	r->flags |= flag;
	return true;
}

static bool
hold(struct core *core, uint32_t i)
{
	struct rcpt *r = rcpt_at(core, i);

	if (r->state == CORE_RCPT_INFLIGHT) {
		return mark(r, RCPT_TO_HOLD);
	}
	if (r->state > CORE_RCPT_READY) {
		return false;
	}
	rcpt_unlink(core, i);
	rcpt_state(core, i, CORE_RCPT_HELD);
	tell(core, CORE_HELD, r->msg, r->ordinal);
	return true;
}

static bool
release(struct core *core, uint32_t i)
{
	struct rcpt *r = rcpt_at(core, i);

	if ((r->flags & RCPT_TO_HOLD) != 0 && r->state == CORE_RCPT_INFLIGHT) {
		r->flags &= (uint8_t)~RCPT_TO_HOLD;
		return true;
	}
	if (r->state != CORE_RCPT_HELD) {
		return false;
	}
	tell(core, CORE_RELEASED, r->msg, r->ordinal);
	rcpt_retry(core, i, 0);
	return true;
}

static bool delete (struct core *core, uint32_t i)
{
	struct rcpt *r = rcpt_at(core, i);

	if (r->state == CORE_RCPT_INFLIGHT) {
		return mark(r, RCPT_TO_DELETE);
	}
	if (r->state == CORE_RCPT_ENDED) {
		return false;
	}
	rcpt_unlink(core, i);
	rcpt_end(core, i, END_DELETED);
	return true;
}

/* It is waiting for its site only: dead paths to it are tried. */
static void
probe(struct core *core, uint32_t leaf)
{
	const struct fq *account = fq_at(core, fq_at(core, leaf)->parent);

	for (uint32_t p = ring_at(core, account->parent)->paths; p != NIL;
	     p = path_at(core, p)->ring_next) {
		path_probe(core, p);
	}
}

static bool
retry(struct core *core, uint32_t i)
{
	struct rcpt *r = rcpt_at(core, i);

	if (msg_at(core, r->msg)->expiry_s <= core->now_s) {
		return false;
	}
	if (r->state == CORE_RCPT_READY) {
		probe(core, r->at);
	} else if (r->state == CORE_RCPT_RESOLVING) {
		domain_ask(core, r->domain);
	} else if (r->state == CORE_RCPT_WAITING) {
		tell(core, CORE_RELEASED, r->msg, r->ordinal);
		rcpt_unlink(core, i);
		rcpt_retry(core, i, 0);
		return true;
	}
	return false;
}

static bool
act(struct core *core, enum core_command cmd, uint32_t i)
{
	const struct rcpt *r = rcpt_at(core, i);

	if (r->state == CORE_RCPT_HELD && (r->flags & RCPT_UNREADY) != 0) {
		return false; /* it arrives after the command */
	}
	switch (cmd) {
	case CORE_CMD_HOLD:
		return hold(core, i);
	case CORE_CMD_RELEASE:
		return release(core, i);
	case CORE_CMD_DELETE:
		return delete (core, i);
	case CORE_CMD_RETRY:
		return retry(core, i);
	}
	bug_on(true);
}

/* ---- all messages, in slices --------------------------------------------- */

static void
visit(struct core *core, struct admin *a, uint32_t msg)
{
	const struct msg *m = msg_at(core, msg);
	bool is_to_cancel = false;
	uint32_t i = m->rcpts;

	if (!selects_message(core, &a->sel, msg)) {
		return;
	}
	if (a->sel.match != NULL) {
		core->budget -=
		    core->budget < MATCH_COST ? core->budget : MATCH_COST;
	}
	for (uint32_t n = m->live; n > 0; n--) {
		const struct rcpt *r = rcpt_at(core, i);
		uint32_t next = r->sibling;

		if (selects_rcpt(core, &a->sel, msg, r->domain, r->ordinal) &&
		    act(core, a->cmd, i)) {
			a->count++;
			is_to_cancel = is_to_cancel ||
			    (r->flags & (RCPT_TO_HOLD | RCPT_TO_DELETE)) != 0;
		}
		i = next;
	}
	if (is_to_cancel) {
		tell(core, CORE_CANCEL, msg, 0);
	}
}

/* What was decided; a recipient that has ended meanwhile is told as such. */
bool
admin_tell(struct core *core, struct core_out *out)
{
	while (core->note_at < core->nnotes) {
		const struct note *n = &core->notes[core->note_at++];
		uint32_t i;

		out->kind = n->kind;
		if (n->kind == CORE_CANCEL) {
			message_out(core, n->msg, out);
			out->path = CORE_NONE;
			return true;
		}
		i = rcpt_find(core, n->msg, n->ordinal);
		if (i != NIL) {
			message_out(core, n->msg, out);
			out->ordinal = n->ordinal;
			out->attempts = rcpt_at(core, i)->attempts;
			out->domain = rcpt_at(core, i)->domain;
			out->due_s = core->now_s;
			return true;
		}
	}
	core->note_at = 0;
	core->nnotes = 0;
	return false;
}

bool
admin_next(struct core *core, struct core_out *out)
{
	for (;;) {
		struct admin *a = &core->admin[core->admin_first];

		if (admin_tell(core, out) || rcpt_next_ended(core, out)) {
			return true;
		}
		if (core->nadmin == 0 || core->budget == 0) {
			return false;
		}
		if (a->at >= core->msgs.used) {
			out->kind = CORE_ADMIN_DONE;
			out->command = a->id;
			out->count = a->count;
			core->admin_first =
			    (core->admin_first + 1) % ADMIN_QUEUE;
			core->nadmin--;
			return true;
		}
		core->budget--;
		visit(core, a, a->at);
		a->at = a->sel.msg == CORE_NONE ? a->at + 1 : UINT32_MAX;
	}
}
