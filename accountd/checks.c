/*
 * Checks of sending domains by resolvd: on request and on a schedule. Domains
 * that wait for their records, or have lost them, are looked at more often.
 */
#include <errno.h>
#include <string.h>

#include "accountd.h"
#include "clock.h"
#include "herald.h"
#include "log.h"
#include "loop.h"
#include "plan.h"
#include "rotating.h"
#include "service.h"

#define SWEEP_US (10 * US_PER_S)
#define OFTEN 24 /* times as often, while it is not well */

/* One check under way, or the memory of when to check a domain next. */
struct check {
	struct str name; /* of the domain, in key */
	uint32_t account;
	bool is_running;
	uint64_t next_us;    /* monotonic; 0: not planned yet */
	uint64_t created_us; /* of the domain, when the check began */
	bool is_told;	     /* resolvd has answered */
	bool is_vague;	     /* but could not tell */
	struct waiters waiters;
	uint8_t key[]; /* of the store */
};

static struct {
	struct map *checks; /* by key of the store */
	struct loop_timer *timer;
	size_t n_running;
} checks;

static void
check_free(void *p)
{
	struct check *c = p;

	waiters_fini(&c->waiters);
	free(c);
}

static struct check *
find_check(const struct domain *d)
{
	struct buf key = { 0 };
	struct check *c;

	model_key_u32(&key, d->r.account);
	buf_add(&key, d->r.name.p, d->r.name.len);
	c = map_get(checks.checks, buf_str(&key));
	if (c == NULL) {
		c = mem_alloc(sizeof(*c) + key.len);
		memcpy(c->key, key.p, key.len);
		c->account = d->r.account;
		c->name = (struct str){ (char *)c->key + 4, key.len - 4 };
		(void)map_put(checks.checks, buf_str(&key), c); /* new */
	}
	buf_fini(&key);
	return c;
}

/* The domain that is checked; NULL: it was deleted, and perhaps added again,
 * meanwhile. */
static const struct domain *
domain_of(const struct check *c)
{
	const struct domain *d =
	    model_domain(accountd.model, c->account, c->name);

	return d != NULL && d->r.created_us == c->created_us ? d : NULL;
}

static void
drop_check(struct check *c)
{
	struct str key = { (const char *)c->key, 4 + c->name.len };

	(void)map_del(checks.checks, key);
	check_free(c);
}

static uint64_t
interval(const struct domain *d)
{
	bool is_well = d->r.state == DOMAIN_VERIFIED && d->r.failing_us == 0 &&
	    d->r.rotation != ROTATION_PUBLISH;

	return rotating_interval(d,
	    is_well ? conf()->domain_check_time
		    : conf()->domain_check_time / OFTEN);
}

static void
log_state(const struct schema_domain *d)
{
	char reason[256];

	log_info("domain=%.*s, account=%u, status=%s%s%s", STR_ARG(d->name),
	    d->account, records_state(d->state),
	    d->state == DOMAIN_VERIFIED ? "" : ", reason=",
	    d->state == DOMAIN_VERIFIED
		? ""
		: str_safe(reason, sizeof(reason), d->dkim1_reason));
}

/* One that was verified and has failed, or is verified again. */
static void
tell_owner(const struct domain *d, uint8_t before)
{
	const struct account *a = model_account(accountd.model, d->r.account);
	bool is_over = before == DOMAIN_FAILED;

	if (a != NULL && (d->r.state == DOMAIN_FAILED || is_over)) {
		herald_tell(ALERT_DOMAIN, a, "domain", is_over, "%.*s %s%.*s",
		    STR_ARG(d->r.name),
		    is_over ? "is verified again" : "is not verified: ",
		    STR_ARG(is_over ? STR("") : d->r.dkim1_reason));
	}
}

/* Writes what the check found, and tells who depends on it. */
static void
store_result(const struct domain *d, const struct ipc_domain_rep *rep)
{
	struct schema_domain new = d->r;
	struct change *c = change_begin(accountd.model);
	bool changed = records_judge(
	    &new, rep, clock_wall_us(), conf()->domain_grace_time);
	uint8_t old_dkim2 = d->r.dkim2_status;
	uint8_t old_state = d->r.state;
	uint32_t account = d->r.account;
	struct buf name = { 0 };
	int r;

	buf_add(&name, d->r.name.p, d->r.name.len);
	if (changed) {
		log_state(&new);
	}
	r = change_put(c, SCHEMA_domain, &new);
	if (r == 0) {
		r = change_commit(&c);
	}
	change_abort(&c);
	d = model_domain(accountd.model, account, buf_str(&name));
	if (r < 0 && r != -ENOSPC) { /* the store has said that */
		log_error(
		    "the check of a domain is not stored: %s", strerror(-r));
	} else if (r == 0 && (changed || old_dkim2 != d->r.dkim2_status)) {
		push_domain(d);
		push_changed(account);
		if (changed) {
			tell_owner(d, old_state);
		}
	}
	buf_fini(&name);
}

static void
finish(struct check *c)
{
	const struct domain *d = domain_of(c);
	struct waiters waiters = waiters_take(&c->waiters);
	bool is_told = c->is_told;

	c->is_running = false;
	checks.n_running--;
	if (model_domain(accountd.model, c->account, c->name) == NULL) {
		drop_check(c);
		waiters_call(waiters, is_told);
		return;
	}
	c->next_us = clock_mono_us() + conf()->domain_check_time / OFTEN;
	if (d != NULL && is_told) {
		rotating_go_on(d);
		if (!c->is_vague) {
			c->next_us = clock_mono_us() + interval(d);
		}
	}
	waiters_call(waiters, is_told);
}

static void
on_keys(void *arg, enum ipc_type type, const void *m)
{
	struct check *c = arg;
	const struct domain *d = domain_of(c);

	(void)type;
	if (m != NULL && d != NULL) {
		rotating_checked(d, m);
	}
	finish(c);
}

/* The keys that come or went are looked up besides. */
static void
check_keys(struct check *c, const struct domain *d)
{
	const struct ipc_dkim_req m = {
		.domain = d->r.name,
		.selector1 = d->r.other1,
		.record1 = d->r.other_record1,
		.selector2 = d->r.other2,
		.record2 = d->r.other_record2,
	};

	if (peer_call(service_peer(ROLE_RESOLVD, 0), IPC_dkim_req, &m, -1,
		conf()->domain_check_timeout, on_keys, c, NULL) < 0) {
		finish(c);
	}
}

static void
on_reply(void *arg, enum ipc_type type, const void *m)
{
	const struct ipc_domain_rep *rep = m;
	struct check *c = arg;
	const struct domain *d = domain_of(c);

	(void)type;
	c->is_told = rep != NULL && d != NULL;
	if (c->is_told) {
		c->is_vague = rep->dkim1 == CHECK_TEMPORARY;
		store_result(d, rep);
		d = domain_of(c);
	}
	if (c->is_told && d->r.rotation != ROTATION_NONE) {
		check_keys(c, d);
	} else {
		finish(c);
	}
}

static int
take_word(void *arg, const char *word, size_t len)
{
	struct str *s = arg;

	*s = (struct str){ word, len };
	return 1;
}

static void
make_request(const struct domain *d, struct buf *text, struct ipc_domain_req *m)
{
	size_t bounce_len;

	buf_printf(text, BOUNCE_LABEL ".%.*s", STR_ARG(d->r.name));
	bounce_len = text->len;
	buf_printf(text, "postmaster@%.*s", STR_ARG(d->r.name));
	*m = (struct ipc_domain_req){
		.domain = d->r.name,
		.token = d->r.token,
		.selector1 = d->r.selector1,
		.record1 = d->r.record1,
		.selector2 = d->r.selector2,
		.record2 = d->r.record2,
		.bounce_host = { (char *)text->p, bounce_len },
		.bounce_target = str_of(accountd.site.bounce_domain),
		.spf_sender = { (char *)text->p + bounce_len,
		    text->len - bounce_len },
	};
	/* SPF is asked about the first address we send from, if one is set. */
	(void)conf_list_each(accountd.site.sources, take_word, &m->spf_ip);
}

static void
start_check(struct check *c, const struct domain *d)
{
	struct ipc_domain_req m;
	struct buf text = { 0 };

	c->is_running = true;
	c->is_told = c->is_vague = false;
	c->created_us = d->r.created_us;
	checks.n_running++;
	make_request(d, &text, &m);
	if (peer_call(service_peer(ROLE_RESOLVD, 0), IPC_domain_req, &m, -1,
		conf()->domain_check_timeout, on_reply, c, NULL) < 0) {
		on_reply(c, (enum ipc_type)0, NULL);
	}
	buf_fini(&text);
}

static void
sweep(void *arg)
{
	const struct domain *d;
	uint64_t now = clock_mono_us();
	size_t at = 0;

	(void)arg;
	/* Results are stored later, from the loop: the walk stays valid. */
	while (checks.n_running < conf()->domain_check_limit &&
	    service_peer(ROLE_RESOLVD, 0) != NULL &&
	    (d = model_next_domain(accountd.model, &at)) != NULL) {
		struct check *c = find_check(d);

		if (c->next_us == 0) {
			uint64_t age = clock_wall_us() - d->r.checked_us;
			uint64_t due = interval(d);

			/* After a start: by what was checked before it. */
			c->next_us = now + (age < due ? due - age : 0);
		}
		if (!c->is_running && c->next_us <= now) {
			start_check(c, d);
		}
	}
	loop_timer_arm(checks.timer, SWEEP_US);
}

void
checks_start(void)
{
	checks.checks = map_new();
	checks.timer = loop_timer_new(sweep, NULL);
	loop_timer_arm(checks.timer, SWEEP_US);
}

void
checks_stop(void)
{
	if (checks.checks != NULL) {
		loop_timer_free(&checks.timer);
		map_free(&checks.checks, check_free);
	}
}

void
checks_run(const struct domain *d, waiter_fn *fn, void *arg)
{
	struct check *c = find_check(d);

	waiters_add(&c->waiters, fn, arg);
	if (!c->is_running) {
		start_check(c, d);
	}
}

void
checks_deleted(const struct domain *d)
{
	struct check *c = find_check(d);

	if (!c->is_running) {
		drop_check(c);
	}
}

void
checks_forget(void *arg)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(checks.checks, &at, &key, &value)) {
		struct check *c = value;

		waiters_forget(&c->waiters, arg);
	}
}
