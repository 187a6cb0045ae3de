#include "sts.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "resolvd.h"
#include "service.h"

const struct sts_known *
sts_policy_of(const char *domain)
{
	const struct sts_entry *e =
	    conf()->smtp_mta_sts ? sts_cache_find(domain) : NULL;

	return e != NULL && sts_entry_is_valid(e) ? &e->known : NULL;
}

const struct sts_failure *
sts_failure_of(const char *domain, uint64_t *retry_s)
{
	const struct sts_entry *e =
	    conf()->smtp_mta_sts ? sts_cache_find(domain) : NULL;

	if (e == NULL || e->failure == NULL) {
		return NULL;
	}
	*retry_s = sts_entry_retry_s(e);
	return e->failure;
}

/* ---- the end of a question ---------------------------------------------- */

static void
stop_waiting(struct sts *x)
{
	if (x->entry != NULL) {
		TAILQ_REMOVE(&x->entry->waiting, x, link);
		x->entry = NULL;
	}
}

void
sts_end(struct sts *x)
{
	stop_waiting(x);
	ask_end(&x->ask);
	loop_timer_free(&x->timer);
	loop_defer_cancel(&x->defer);
}

static void
done(void *arg)
{
	struct sts *x = arg;

	sts_end(x);
	x->fn(x->arg);
}

static void
limit_ttl(struct sts *x, uint32_t ttl_s)
{
	x->ttl_s = ttl_s < x->ttl_s ? ttl_s : x->ttl_s;
}

/* What was found is looked at again when a fetch may be tried again. */
static void
limit_to_retry(struct sts *x, const struct sts_entry *e, const char *id)
{
	uint32_t wait_s = sts_entry_wait_s(e, id);

	if (wait_s > 0) {
		limit_ttl(x, wait_s);
	}
}

/* ---- fetches ------------------------------------------------------------ */

static void
note_failure(struct sts_entry *e, const char *error)
{
	sts_cache_fail(e, error);
	if (sts_entry_is_valid(e)) {
		log_warn("mta-sts: %s: policy not fetched, the known one "
			 "stays: %s",
		    e->known.domain, error);
	} else {
		log_info("mta-sts: %s: policy not fetched: %s", e->known.domain,
		    error);
	}
}

static void
note_policy(struct sts_entry *e, struct sts_policy *policy)
{
	sts_cache_store(e, e->wanted_id, policy);
	log_info("mta-sts: %s: policy fetched: mode %s, id %s, max_age %lu",
	    e->known.domain, sts_mode_name(e->known.policy.mode), e->known.id,
	    (unsigned long)e->known.policy.max_age_s);
}

static void
on_fetched(void *arg, struct sts_policy *policy, const char *error)
{
	struct sts_entry *e = arg;
	struct sts *x;

	if (error != NULL) {
		note_failure(e, error);
	} else {
		note_policy(e, policy);
	}
	while ((x = TAILQ_FIRST(&e->waiting)) != NULL) {
		stop_waiting(x);
		limit_to_retry(x, e, e->wanted_id);
		loop_defer(&x->defer, done, x);
	}
	free(e->fetch);
	e->fetch = NULL;
}

static void
begin_fetch(struct sts_entry *e, const char *id)
{
	if (e->fetch == NULL) {
		e->fetch = mem_alloc(sizeof(*e->fetch));
		str_copy(e->wanted_id, sizeof(e->wanted_id), str_of(id));
		sts_fetch_start(e->fetch, e->known.domain, on_fetched, e);
	}
}

static void
on_timeout(void *arg)
{
	struct sts *x = arg;

	limit_ttl(x, TTL_TEMPORARY_S);
	done(x);
}

static void
wait_for(struct sts *x, struct sts_entry *e)
{
	x->entry = e;
	TAILQ_INSERT_TAIL(&e->waiting, x, link);
	x->timer = loop_timer_new(on_timeout, x);
	loop_timer_arm(x->timer, conf()->mta_sts_fetch_timeout);
}

/* ---- the record --------------------------------------------------------- */

/* RFC 8461 section 5.1: the id has changed, or there is no policy: before
 * anything is sent the new one is fetched; else when half of its time is
 * over, by the way. */
static void
decide(struct sts *x, struct sts_entry *e, const char *id)
{
	bool is_current = sts_entry_is_valid(e) && strcmp(e->known.id, id) == 0;

	if (!x->is_forced && e->fetch == NULL && sts_entry_wait_s(e, id) > 0) {
		limit_to_retry(x, e, id);
		done(x);
		return;
	}
	if (!is_current || x->is_forced || sts_entry_is_old(e)) {
		begin_fetch(e, id);
	}
	if (is_current && !x->is_forced) {
		done(x);
	} else {
		wait_for(x, e);
	}
}

/* Without a record what is known stays in force (RFC 8461 section 3.1). */
static void
on_record(void *arg)
{
	struct sts *x = arg;
	char id[STS_ID_SIZE];
	bool has_id = sts_record_id(&x->ask.answer, id) == 0;

	x->ttl_s = x->ask.answer.status == ANSWER_TEMPORARY
	    ? TTL_TEMPORARY_S
	    : x->ask.answer.packet.ttl_s;
	ask_end(&x->ask);
	if (has_id) {
		decide(x, sts_cache_get(x->domain), id);
	} else {
		done(x);
	}
}

static void
start(struct sts *x, const char *domain, bool is_forced, sts_fn *fn, void *arg)
{
	char name[DOMAIN_NAME_MAX + 16];

	sts_end(x);
	*x = (struct sts){ .fn = fn,
		.arg = arg,
		.is_forced = is_forced,
		.ttl_s = TTL_FIXED_S };
	str_copy(x->domain, sizeof(x->domain), str_of(domain));
	if (!conf()->smtp_mta_sts) {
		loop_defer(&x->defer, done, x);
		return;
	}
	(void)snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	ask_start(&x->ask, name, PACKET_TXT, on_record, x);
}

void
sts_start(struct sts *x, const char *domain, sts_fn *fn, void *arg)
{
	start(x, domain, false, fn, arg);
}

void
sts_refresh(struct sts *x, const char *domain, sts_fn *fn, void *arg)
{
	start(x, domain, true, fn, arg);
}

/* ---- the process -------------------------------------------------------- */

void
sts_init(void)
{
	sts_fetch_init();
}

void
sts_begin(void)
{
	sts_cache_start();
}

void
sts_stop(void)
{
	sts_tools_stop();
	sts_cache_stop();
	sts_fetch_fini();
}
