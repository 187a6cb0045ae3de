/*
 * Which addresses a session tries, one after the other, and what is told when
 * none of them serves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "dial.h"
#include "domain.h"
#include "service.h"
#include "session.h"
#include "tls_broken.h"

static uint32_t
random_number(void *arg)
{
	static uint64_t state;

	(void)arg;
	if (state == 0) {
		struct uuid u = uuid_random();

		memcpy(&state, u.b, sizeof(state));
		state |= 1;
	}
	/* xorshift64*: spreads load; nothing secret depends on it. */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dULL) >> 32);
}

unsigned
session_targets(
    const struct route *r, const char *source_ip, struct target *out)
{
	const char *first = conf()->smtp_address_preference;
	struct target_rule rule = {
		.max = (unsigned)conf()->smtp_mx_address_limit,
	};
	struct domain_ip ip;

	if (strcmp(first, "any") != 0) {
		rule.first = strcmp(first, "ipv6") == 0 ? TARGET_V6 : TARGET_V4;
	}
	if (domain_ip_parse(source_ip, strlen(source_ip), &ip) == 0) {
		rule.only = ip.family == AF_INET6 ? TARGET_V6 : TARGET_V4;
	}
	return target_order(r, &rule, random_number, NULL, out);
}

/* What is known before the connection is there. */
static void
begin_facts(struct session *s)
{
	const struct target *t = &s->targets[s->target];
	const struct route_host *h = &s->route->hosts[t->host];
	struct facts *f = &s->facts;
	struct uuid id = uuid_random();

	*f = (struct facts){ .source_name = s->ehlo_name };
	str_copy(
	    f->source_ip, sizeof(f->source_ip), str_of(s->path->source_ip));
	str_copy(s->ehlo_name, sizeof(s->ehlo_name),
	    str_of(s->path->source_name[0] != '\0' ? s->path->source_name
						   : conf()->myhostname));
	plan_address_print(&h->addresses[t->address], f->dest_ip);
	str_copy(f->dest_host, sizeof(f->dest_host), str_of(h->name));
	f->dest_port = route_port(s->route);
	f->pref = h->pref;
	s->need = tls_policy_at_host(
	    &s->policy, h->tlsa_state, route_sts(s->route, h));
	if (s->need.level <= TLS_MAY && tls_broken_is(session_tls_key(s))) {
		s->is_clear = true;
	}
	f->tls.policy = s->need.name;
	f->tls.source = s->need.source;
	f->tls.result = s->is_clear ? "failed" : "none";
	f->tls.is_fallback = s->is_clear;
	f->times.dns_ms = s->job != NULL ? s->job->dns_ms : 0;
	uuid_print(&id, f->session_id);
}

void
session_connect_failed(struct session *s, int error)
{
	bool is_ours =
	    error == -EADDRNOTAVAIL || error == -EMFILE || error == -ENFILE;

	verdict_fini(&s->failure);
	verdict_local(&s->failure, OUTCOME_DEFERRED,
	    is_ours		      ? REASON_CONFIG
		: error == -ETIMEDOUT ? REASON_TIMEOUT
				      : REASON_CONNECTION,
	    is_ours ? "4.3.5" : "4.4.1", "connect to %s: %s", session_peer(s),
	    strerror(-error));
	s->failure.is_connect = CONNECT_FAILED;
	transcript_note(&s->transcript, "connect to %s: %s", session_peer(s),
	    strerror(-error));
}

/* RFC 8461 section 5: hosts that an enforced policy does not name are not
 * used. What a host that was tried has said is worth more. */
static void
leave_out_unnamed(struct session *s)
{
	transcript_note(&s->transcript,
	    "%s left out: the MTA-STS policy %s of "
	    "%s does not name it",
	    s->facts.dest_host, s->route->sts_id, s->route->next_hop);
	if (!s->failure.is_set) {
		verdict_local(&s->failure, OUTCOME_DEFERRED, REASON_TLS,
		    "4.7.0",
		    "the MTA-STS policy of %s (id %s) does not name its host "
		    "%s",
		    s->route->next_hop, s->route->sts_id, s->facts.dest_host);
	}
}

/* RFC 7672 section 2.1.2: a host whose records cannot be had is left out. */
static void
leave_out(struct session *s)
{
	if (s->need.is_private) {
		leave_out_unnamed(s);
		return;
	}
	verdict_fini(&s->failure);
	verdict_local(&s->failure, OUTCOME_DEFERRED, REASON_TLS, "4.7.5",
	    "TLSA records of %s cannot be looked up now", s->facts.dest_host);
	s->failure.is_connect = CONNECT_FAILED;
	transcript_note(&s->transcript, "%s left out: no answer about TLSA",
	    s->facts.dest_host);
}

/* Nothing is left to try: the job hears why. */
static void
give_up(struct session *s)
{
	if (s->job != NULL) {
		if (!s->failure.is_set) {
			verdict_local(&s->failure, OUTCOME_DEFERRED,
			    REASON_ROUTING, "4.4.4",
			    "%s: no address of the source address's family",
			    s->route->next_hop);
			s->failure.is_connect = CONNECT_UNFIT;
			str_copy(s->facts.source_ip, sizeof(s->facts.source_ip),
			    str_of(s->path->source_ip));
		}
		job_decide(s->job, &s->failure);
		session_result(s);
	}
	session_close(s);
}

/* Connects to the first of the remaining targets that can be dialled. */
static void
try_targets(struct session *s)
{
	for (; s->target < s->n_targets && s->job != NULL; s->target++) {
		const struct target *t = &s->targets[s->target];
		const struct route_host *h = &s->route->hosts[t->host];
		int r;

		begin_facts(s);
		if (s->need.level == TLS_LEAVE) {
			leave_out(s);
			s->is_clear = false;
			continue;
		}
		r = dial(&h->addresses[t->address], s->facts.dest_port,
		    s->path->source_ip, session_event, s, &s->stream);
		if (r == 0) {
			s->generation++;
			s->expected = 0;
			s->must_close = false;
			s->needs_rset = false;
			s->ehlo = (struct ehlo){ 0 };
			session_phase(s, PHASE_CONNECT);
			session_settle(s);
			return;
		}
		session_connect_failed(s, r);
		if (r == -EADDRNOTAVAIL) {
			s->failure.is_connect = CONNECT_UNFIT; /* to bind */
		}
		s->is_clear = false;
	}
	give_up(s);
}

bool
session_has_next_target(const struct session *s)
{
	return s->target + 1 < s->n_targets;
}

/* Leaves a server politely when it is listening. */
static void
leave(struct session *s)
{
	if (s->stream != NULL && s->phase >= PHASE_GREETING &&
	    s->phase != PHASE_TLS) {
		session_say_quit(s);
	}
	stream_free(&s->stream);
	s->generation++;
}

void
session_next_target(struct session *s)
{
	leave(s);
	s->is_clear = false;
	s->target++;
	try_targets(s);
}

void
session_retry_clear(struct session *s)
{
	leave(s);
	s->is_clear = true;
	transcript_note(&s->transcript, "once more in clear");
	try_targets(s);
}

void
session_begin_targets(struct session *s)
{
	s->n_targets =
	    session_targets(s->route, s->path->source_ip, s->targets);
	try_targets(s);
}
