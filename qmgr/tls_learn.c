#include "tls_learn.h"

#include <string.h>

#include "log.h"
#include "outcome.h"
#include "qmgr.h"
#include "reply_class.h"

static const char *const state_names[] = {
	[TLS_SITE_EVIDENCE] = "evidence",
	[TLS_SITE_LEARNED] = "learned",
	[TLS_SITE_PINNED] = "pinned",
};

void
tls_learn_init(struct qmgr *q)
{
	q->tls_sites = tls_sites_new();
}

void
tls_learn_fini(struct qmgr *q)
{
	tls_sites_free(&q->tls_sites);
}

struct tls_learn
tls_learn_rule(const struct qmgr *q)
{
	return (struct tls_learn){
		.is_on = q->conf->smtp_tls_learn,
		.successes = (uint32_t)q->conf->smtp_tls_learn_successes,
		.days = (uint32_t)q->conf->smtp_tls_learn_days,
		.sources = (uint32_t)q->conf->smtp_tls_learn_sources,
		.limit = q->conf->smtp_tls_learn_limit,
	};
}

struct str
tls_learn_word(const struct qmgr *q, struct str site)
{
	return tls_sites_is_required(q->tls_sites, site) ? STR("learned")
							 : STR("");
}

/* ---- the journal -------------------------------------------------------- */

void
tls_learn_event(const struct tls_site *s, struct event_tls_site *out)
{
	*out = (struct event_tls_site){
		.site = str_of(s->name),
		.state = str_of(state_names[s->state]),
		.successes = s->successes,
		.days = s->days,
		.last_day = s->last_day,
		.sources = { (const char *)s->sources,
		    s->n_sources * sizeof(s->sources[0]) },
		.first_us = s->first_us,
		.learned_us = s->learned_us,
		.violations = s->violations,
		.violated_us = s->violated_us,
		.is_waiting = s->is_violated,
	};
}

void
tls_learn_restore(struct qmgr *q, const struct event_tls_site *e)
{
	struct tls_site s = {
		.successes = e->successes,
		.days = e->days,
		.last_day = e->last_day,
		.first_us = e->first_us,
		.learned_us = e->learned_us,
		.violations = e->violations,
		.violated_us = e->violated_us,
		.is_violated = e->is_waiting != 0,
	};
	size_t n = e->sources.len / sizeof(s.sources[0]);

	s.n_sources = n < TLS_SITE_SOURCES ? (uint32_t)n : TLS_SITE_SOURCES;
	if (s.n_sources > 0) {
		memcpy(s.sources, e->sources.p,
		    s.n_sources * sizeof(s.sources[0]));
	}
	for (size_t i = 0; i < array_len(state_names); i++) {
		if (str_is(e->state, state_names[i])) {
			s.state = (enum tls_site_state)i;
		}
	}
	tls_sites_restore(q->tls_sites, e->site, &s);
}

void
tls_learn_write(struct qmgr *q, struct str site, const char *why)
{
	const struct tls_site *s = tls_sites_find(q->tls_sites, site);
	struct event_tls_site e;

	if (s == NULL) {
		return;
	}
	tls_learn_event(s, &e);
	e.time_us = qmgr_now(q);
	e.reason = str_of(why);
	qmgr_write(q, EVENT_tls_site, &e, NULL, 0, 0);
}

/* ---- results ------------------------------------------------------------ */

static void
alert(struct qmgr *q, const struct subject *s, const struct ipc_result *r,
    bool is_over)
{
	struct event_alert e = {
		.time_us = s->now_us,
		.msgid = s->msgid,
		.accept_lsn = s->accept_lsn,
		.account = s->account,
		.subaccount = s->subaccount,
		.rcpt = s->rcpt,
		.name = STR("tls_violation"),
		.is_over = is_over,
	};
	char site[256];
	char why[512];
	struct buf text = { 0 };

	(void)str_safe(site, sizeof(site), r->mx_site);
	if (is_over) {
		buf_printf(&text, "site %s: TLS works again", site);
		log_info("tls: %.*s", STR_ARG(buf_str(&text)));
	} else {
		buf_printf(&text,
		    "site %s: mail waits, for TLS has always worked there, and "
		    "does not now: %s",
		    site, str_safe(why, sizeof(why), r->smtp_text));
		log_warn("tls: %.*s; if it is meant: pbtls pardon '%s'",
		    STR_ARG(buf_str(&text)), site);
	}
	e.text = buf_str(&text);
	qmgr_write(q, EVENT_alert, &e, NULL, 0, 0);
	buf_fini(&text);
}

static bool
is_violation(const struct ipc_result *r)
{
	return r->outcome == OUTCOME_DEFERRED &&
	    str_is(r->tls_policy, "learned") &&
	    str_is(r->class, reason_desc(REASON_TLS)->name);
}

static enum tls_site_change
learn(struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	struct tls_learn rule = tls_learn_rule(q);

	if (is_violation(r)) {
		return tls_sites_violation(q->tls_sites, r->mx_site, s->now_us);
	}
	if (r->outcome != OUTCOME_DELIVERED) {
		return TLS_SITE_SAME;
	}
	if (str_is(r->tls_result, "encrypted") ||
	    str_is(r->tls_result, "verified")) {
		return tls_sites_success(
		    q->tls_sites, &rule, r->mx_site, r->source_ip, s->now_us);
	}
	return tls_sites_clear(q->tls_sites, r->mx_site);
}

void
tls_learn_result(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	if (r->mx_site.len == 0) {
		return;
	}
	switch (learn(q, s, r)) {
	case TLS_SITE_SAME:
		return;
	case TLS_SITE_CHANGED:
		tls_learn_write(q, r->mx_site, "");
		return;
	case TLS_SITE_PROMOTED:
		log_info("tls: site %.*s has proven its TLS: it is required "
			 "there from now on",
		    STR_ARG(r->mx_site));
		tls_learn_write(q, r->mx_site, "enough deliveries over TLS");
		return;
	case TLS_SITE_RECOVERED:
		tls_learn_write(q, r->mx_site, "TLS works again");
		alert(q, s, r, true);
		return;
	case TLS_SITE_VIOLATED:
		tls_learn_write(q, r->mx_site, "TLS was not to be had");
		alert(q, s, r, false);
		return;
	}
}
