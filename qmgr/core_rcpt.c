#include <errno.h>

#include "core_impl.h"

void
rcpt_state(struct core *core, uint32_t rcpt, enum core_rcpt_state to)
{
	struct rcpt *r = rcpt_at(core, rcpt);

	core->by_state[r->state]--;
	core->by_state[to]++;
	r->state = (uint8_t)to;
}

/*
 * m->rcpts points before the recipient that was found last: what is asked
 * for in the order of the circle is found at once.
 */
uint32_t
rcpt_find(const struct core *core, uint32_t msg, uint16_t ordinal)
{
	struct msg *m = msg_at(core, msg);
	uint32_t before = m->rcpts;

	for (uint32_t n = m->live; n > 0; n--) {
		uint32_t i = rcpt_at(core, before)->sibling;

		if (rcpt_at(core, i)->ordinal == ordinal) {
			m->rcpts = before;
			return rcpt_at(core, i)->state == CORE_RCPT_ENDED ? NIL
									  : i;
		}
		before = i;
	}
	return NIL;
}

uint32_t
rcpt_due(const struct core *core, const struct rcpt *r)
{
	return r->state == CORE_RCPT_WAITING && r->at > core->now_s ? r->at : 0;
}

/* Files a recipient by its due time, or as held. */
static void
file(struct core *core, uint32_t rcpt, uint32_t due_s, bool is_held)
{
	if (is_held) {
		rcpt_state(core, rcpt, CORE_RCPT_HELD);
		return;
	}
	if (!core->is_started || due_s > core->now_s) {
		rcpt_state(core, rcpt, CORE_RCPT_WAITING);
		wheel_add(core, rcpt, due_s);
		return;
	}
	rcpt_ready(core, rcpt);
}

void
rcpt_retry(struct core *core, uint32_t rcpt, uint32_t due_s)
{
	file(core, rcpt, due_s, false);
}

void
rcpt_new(struct core *core, uint32_t msg, const struct core_rcpt *from)
{
	uint32_t i = slab_alloc(&core->rcpts);
	struct rcpt *r = rcpt_at(core, i);
	struct msg *m = msg_at(core, msg);

	r->msg = msg;
	r->domain = from->domain;
	r->ordinal = from->ordinal;
	r->attempts = from->attempts;
	if (m->live == 0) {
		r->sibling = i;
	} else {
		r->sibling = rcpt_at(core, m->rcpts)->sibling;
		rcpt_at(core, m->rcpts)->sibling = i;
	}
	m->rcpts = i;
	m->live++;
	core->by_state[r->state]++;
	domain_at(core, r->domain)->refs++;
	tenant_queued(core, flow_at(core, m->flow)->tenant, 1);
	if (core->is_started && message_lsn(m) == 0) {
		r->at = from->due_s;
		r->flags = RCPT_UNREADY | (from->is_held ? RCPT_TO_HOLD : 0);
		rcpt_state(core, i, CORE_RCPT_HELD);
		return;
	}
	file(core, i, from->due_s, from->is_held);
}

void
rcpts_are_ready(struct core *core, uint32_t msg)
{
	const struct msg *m = msg_at(core, msg);
	uint32_t i = m->rcpts;

	for (uint32_t n = m->live; n > 0; n--) {
		struct rcpt *r = rcpt_at(core, i);
		uint8_t flags = r->flags;

		if (r->state == CORE_RCPT_HELD && (flags & RCPT_UNREADY) != 0) {
			r->flags = 0;
			file(core, i, r->at, (flags & RCPT_TO_HOLD) != 0);
		}
		i = r->sibling;
	}
}

void
rcpt_unlink(struct core *core, uint32_t rcpt)
{
	const struct rcpt *r = rcpt_at(core, rcpt);

	switch ((enum core_rcpt_state)r->state) {
	case CORE_RCPT_WAITING:
		wheel_remove(core, rcpt);
		break;
	case CORE_RCPT_RESOLVING:
		domain_unwait(core, rcpt);
		break;
	case CORE_RCPT_READY:
		fq_remove(core, rcpt);
		break;
	case CORE_RCPT_HELD:
		break;
	case CORE_RCPT_INFLIGHT:
	case CORE_RCPT_ENDED:
		bug_on(true);
	}
}

/* To the queue of its tenant at the site. */
static void
queue(struct core *core, uint32_t rcpt, uint32_t site, bool is_front)
{
	const struct msg *m = msg_at(core, rcpt_at(core, rcpt)->msg);
	uint32_t ring = ring_get(core, site, flow_at(core, m->flow)->pool);

	fq_push(core, ring, rcpt, is_front);
}

static bool
is_expired(const struct core *core, uint32_t rcpt)
{
	return msg_at(core, rcpt_at(core, rcpt)->msg)->expiry_s <= core->now_s;
}

static void
go_on(struct core *core, uint32_t rcpt, bool is_front)
{
	uint32_t domain = rcpt_at(core, rcpt)->domain;
	uint32_t site;

	if (is_expired(core, rcpt)) {
		rcpt_end(core, rcpt, END_EXPIRED);
		return;
	}
	site = domain_site(core, domain);
	if (site != NIL) {
		queue(core, rcpt, site, is_front);
	} else if (domain_at(core, domain)->state == CORE_DOMAIN_FAILED) {
		rcpt_end(core, rcpt, END_DNS);
	} else {
		domain_wait(core, rcpt);
	}
}

void
rcpt_ready(struct core *core, uint32_t rcpt)
{
	/* Nobody overtakes those that waited for the site before. */
	if (domain_at(core, rcpt_at(core, rcpt)->domain)->nwaiting > 0 &&
	    !is_expired(core, rcpt)) {
		domain_wait(core, rcpt);
		return;
	}
	go_on(core, rcpt, false);
}

void
rcpt_resolved(struct core *core, uint32_t rcpt)
{
	go_on(core, rcpt, false);
}

void
rcpt_return(struct core *core, uint32_t rcpt)
{
	go_on(core, rcpt, true);
}

void
rcpt_end(struct core *core, uint32_t rcpt, enum end_reason why)
{
	struct rcpt *r = rcpt_at(core, rcpt);

	r->flags = (uint8_t)why;
	rcpt_state(core, rcpt, CORE_RCPT_ENDED);
	list_push(&core->ended, rcpt_kin(core), rcpt);
}

static void
leave_circle(struct core *core, struct msg *m, uint32_t rcpt)
{
	uint32_t before = m->rcpts;

	while (rcpt_at(core, before)->sibling != rcpt) {
		before = rcpt_at(core, before)->sibling;
	}
	rcpt_at(core, before)->sibling = rcpt_at(core, rcpt)->sibling;
	m->live--;
	m->rcpts = m->live == 0 ? NIL : before;
}

void
rcpt_free(struct core *core, uint32_t rcpt)
{
	struct rcpt *r = rcpt_at(core, rcpt);
	uint32_t msg = r->msg;
	struct msg *m = msg_at(core, msg);

	leave_circle(core, m, rcpt);
	domain_at(core, r->domain)->refs--;
	tenant_queued(core, flow_at(core, m->flow)->tenant, -1);
	core->by_state[r->state]--;
	slab_free(&core->rcpts, rcpt);
	message_settle(core, msg);
}

bool
rcpt_next_ended(struct core *core, struct core_out *out)
{
	static const enum core_out_kind kinds[] = {
		[END_EXPIRED] = CORE_EXPIRED,
		[END_DNS] = CORE_DNS_FAILED,
		[END_DELETED] = CORE_DELETED,
	};
	uint32_t i = list_pop(&core->ended, rcpt_kin(core));
	const struct rcpt *r = rcpt_at(core, i);

	if (i == NIL) {
		return false;
	}
	out->kind = kinds[r->flags & RCPT_END_MASK];
	message_out(core, r->msg, out);
	out->ordinal = r->ordinal;
	out->attempts = r->attempts;
	out->domain = r->domain;
	rcpt_free(core, i);
	return true;
}

uint32_t
core_message_rcpts(const struct core *core, uint32_t msg,
    struct core_rcpt_view *v, uint32_t max)
{
	const struct msg *m = msg_at(core, msg);
	uint32_t i = m->rcpts;

	for (uint32_t n = 0; n < m->live && n < max; n++) {
		const struct rcpt *r = rcpt_at(core, i);

		v[n] = (struct core_rcpt_view){
			.r = { .ordinal = r->ordinal,
			    .attempts = r->attempts,
			    .domain = r->domain,
			    .due_s = rcpt_due(core, r),
			    .is_held = r->state == CORE_RCPT_HELD ||
				(r->flags & RCPT_TO_HOLD) != 0 },
			.state = (enum core_rcpt_state)r->state,
		};
		i = r->sibling;
	}
	return m->live;
}

/* ---- replay ----------------------------------------------------------------
 */

int
core_replay(struct core *core, uint32_t msg, const struct core_rcpt *from)
{
	uint32_t i = rcpt_find(core, msg, from->ordinal);

	bug_on(core->is_started);
	if (i == NIL) {
		return -ENOENT;
	}
	rcpt_unlink(core, i);
	rcpt_at(core, i)->attempts = from->attempts;
	file(core, i, from->due_s, from->is_held);
	return 0;
}

int
core_replay_final(struct core *core, uint32_t msg, uint16_t ordinal)
{
	uint32_t i = rcpt_find(core, msg, ordinal);

	bug_on(core->is_started);
	if (i == NIL) {
		return -ENOENT;
	}
	rcpt_unlink(core, i);
	rcpt_free(core, i);
	return 0;
}
