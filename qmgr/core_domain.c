#include <errno.h>

#include "core_impl.h"

static const uint32_t later_s[] = { 30, 60, 120, 300, 600, 1200, 1800 };

static bool
is_known(const struct domain *d)
{
	return d->state == CORE_DOMAIN_KNOWN;
}

void
domain_ask(struct core *core, uint32_t domain)
{
	struct domain *d = domain_at(core, domain);

	if (!d->is_asking && !d->is_to_ask) {
		d->is_to_ask = true;
		list_push(&core->to_ask, ask_kin(core), domain);
	}
}

bool
domain_next_question(struct core *core, struct core_out *out)
{
	uint32_t i = list_pop(&core->to_ask, ask_kin(core));

	if (i == NIL) {
		return false;
	}
	domain_at(core, i)->is_to_ask = false;
	domain_at(core, i)->is_asking = true;
	out->kind = CORE_RESOLVE;
	out->domain = i;
	return true;
}

uint32_t
domain_site(struct core *core, uint32_t domain)
{
	struct domain *d = domain_at(core, domain);
	bool is_over = d->until_us <= core->now_us;

	if (core->relay != NIL && !(is_known(d) && d->until_us == UINT64_MAX)) {
		return core->relay;
	}
	if (is_known(d)) {
		if (is_over) {
			domain_ask(core, domain);
		}
		return d->site;
	}
	if (d->state == CORE_DOMAIN_FAILED && is_over) {
		d->state = CORE_DOMAIN_UNKNOWN;
	}
	return NIL;
}

static void
move_on(struct core *core, uint32_t domain)
{
	struct domain *d = domain_at(core, domain);

	if (d->nwaiting > 0 && !d->is_moving) {
		d->is_moving = true;
		list_push(&core->moving, moving_kin(core), domain);
	}
}

void
domain_wait(struct core *core, uint32_t rcpt)
{
	uint32_t domain = rcpt_at(core, rcpt)->domain;
	struct domain *d = domain_at(core, domain);

	rcpt_state(core, rcpt, CORE_RCPT_RESOLVING);
	list_push(&d->waiting, rcpt_kin(core), rcpt);
	d->nwaiting++;
	if (d->untold == NIL) {
		d->untold = rcpt;
	}
	if (is_known(d) || d->state == CORE_DOMAIN_FAILED) {
		move_on(core, domain);
	} else if (d->state == CORE_DOMAIN_LATER &&
	    d->until_us > core->now_us) {
		if (d->timer == NIL) {
			timer_set(core, TIMER_DOMAIN, domain, d->until_us);
		}
	} else {
		domain_ask(core, domain);
	}
}

void
domain_unwait(struct core *core, uint32_t rcpt)
{
	struct domain *d = domain_at(core, rcpt_at(core, rcpt)->domain);

	if (d->untold == rcpt) {
		d->untold = list_next(d->waiting, rcpt_kin(core), rcpt);
	}
	list_remove(&d->waiting, rcpt_kin(core), rcpt);
	d->nwaiting--;
}

void
domain_timer(struct core *core, uint32_t domain)
{
	if (domain_at(core, domain)->nwaiting > 0) {
		domain_ask(core, domain);
	}
}

bool
domain_move(struct core *core)
{
	while (core->moving != NIL) {
		uint32_t domain = core->moving;
		struct domain *d = domain_at(core, domain);
		uint32_t rcpt = d->waiting;

		if (core->budget == 0) {
			return true;
		}
		if (d->nwaiting == 0 ||
		    (!is_known(d) && d->state != CORE_DOMAIN_FAILED)) {
			list_remove(&core->moving, moving_kin(core), domain);
			d->is_moving = false;
			continue;
		}
		core->budget--;
		domain_unwait(core, rcpt);
		rcpt_resolved(core, rcpt);
	}
	return false;
}

/* ---- answers
 * ------------------------------------------------------------------ */

void
site_unref(struct core *core, uint32_t site)
{
	if (site != NIL) {
		site_at(core, site)->refs--;
		site_at(core, site)->used_us = core->now_us;
	}
}

static uint64_t
after(const struct core *core, uint32_t ttl_s)
{
	return ttl_s == UINT32_MAX ? UINT64_MAX
				   : core->now_us + ttl_s * 1000000ULL;
}

static void
answer_site(struct core *core, struct domain *d, uint32_t site,
    uint32_t provider, uint32_t ttl_s)
{
	site_at(core, site)->refs++;
	site_unref(core, d->site);
	d->site = site;
	site_provider(core, site, provider);
	d->state = CORE_DOMAIN_KNOWN;
	d->until_us = after(core, ttl_s);
	d->fails = 0;
}

/* No longer than a retry would wait: who wants to know soon says so there. */
static uint32_t
later_wait_s(const struct core *core, uint32_t fails)
{
	uint32_t last = core->conf.nretry - 1;
	uint32_t retry_s = core->conf.retry_s[fails < last ? fails : last];

	return later_s[fails] < retry_s ? later_s[fails] : retry_s;
}

static void
answer_later(struct core *core, uint32_t domain)
{
	struct domain *d = domain_at(core, domain);

	d->until_us = after(core, later_wait_s(core, d->fails));
	if (d->fails < array_len(later_s) - 1) {
		d->fails++;
	}
	if (is_known(d)) {
		return; /* the old answer serves until there is a new one */
	}
	d->state = CORE_DOMAIN_LATER;
	if (d->nwaiting > 0) {
		timer_set(core, TIMER_DOMAIN, domain, d->until_us);
	}
}

static void
answer_never(struct core *core, struct domain *d, uint32_t ttl_s)
{
	site_unref(core, d->site);
	d->site = NIL;
	d->state = CORE_DOMAIN_FAILED;
	d->until_us = after(core, ttl_s == 0 ? 1 : ttl_s);
	d->fails = 0;
}

void
core_site_answer(struct core *core, uint32_t domain, enum core_answer answer,
    uint32_t site, uint32_t provider, uint32_t ttl_s)
{
	struct domain *d = domain_at(core, domain);

	bug_on(domain >= core->domains.used || d->name.p == NULL);
	d->is_asking = false;
	timer_set(core, TIMER_DOMAIN, domain, UINT64_MAX);
	switch (answer) {
	case CORE_ANSWER_SITE:
		answer_site(core, d, site, provider, ttl_s);
		break;
	case CORE_ANSWER_LATER:
		answer_later(core, domain);
		return;
	case CORE_ANSWER_NEVER:
		answer_never(core, d, ttl_s);
		break;
	}
	if (d->is_to_ask) {
		d->is_to_ask = false;
		list_remove(&core->to_ask, ask_kin(core), domain);
	}
	move_on(core, domain);
}

void
core_relay(struct core *core, uint32_t site, uint32_t provider)
{
	core->relay = site == CORE_NONE ? NIL : site;
	if (site != CORE_NONE) {
		site_provider(core, site, provider);
	}
}

static void
disbelieve(struct core *core, uint32_t domain)
{
	struct domain *d = domain_at(core, domain);

	d->until_us = core->now_us;
	d->fails = 0;
	timer_set(core, TIMER_DOMAIN, domain, UINT64_MAX);
	if (!is_known(d)) {
		d->state = CORE_DOMAIN_UNKNOWN;
	}
	if (d->refs > 0) {
		domain_ask(core, domain);
	}
}

void
core_resolve_again(struct core *core, uint32_t domain)
{
	if (domain != CORE_NONE) {
		disbelieve(core, domain);
		return;
	}
	for (uint32_t i = 1; i < core->domains.used; i++) {
		const struct domain *d = domain_at(core, i);

		if (d->name.p != NULL && !is_known(d)) {
			disbelieve(core, i);
		}
	}
}

int
core_domain_next(
    const struct core *core, uint32_t *at, struct core_domain_view *v)
{
	for (uint32_t n = 0; n < core->conf.slice; n++) {
		const struct domain *d;

		if (++*at >= core->domains.used) {
			return 0;
		}
		d = domain_at(core, *at);
		if (d->name.p != NULL) {
			*v = (struct core_domain_view){
				.domain = *at,
				.state = d->is_asking && !is_known(d)
				    ? CORE_DOMAIN_ASKING
				    : (enum core_domain_state)d->state,
				.site = d->site == NIL ? CORE_NONE : d->site,
				.until_us = d->until_us,
				.rcpts = d->refs,
				.waiting = d->nwaiting,
			};
			return 1;
		}
	}
	return -EAGAIN;
}

uint32_t
core_domain_untold(
    struct core *core, uint32_t domain, struct core_untold *out, uint32_t max)
{
	struct domain *d = domain_at(core, domain);
	uint32_t n = 0;

	for (; d->untold != NIL && n < max;
	     d->untold = list_next(d->waiting, rcpt_kin(core), d->untold)) {
		struct rcpt *r = rcpt_at(core, d->untold);

		if ((r->flags & RCPT_DNS_TOLD) == 0) {
			r->flags |= RCPT_DNS_TOLD;
			out[n++] = (struct core_untold){ .msg = r->msg,
				.ordinal = r->ordinal,
				.attempts = r->attempts };
		}
	}
	return n;
}
