/*
 * The opening of a connection: greeting, EHLO or HELO, STARTTLS by the
 * session's policy, EHLO again, AUTH where the next hop wants it. Whatever
 * fails here is the address's failure, and the next address is tried.
 */
#include <stdio.h>
#include <string.h>

#include "esmtp.h"
#include "service.h"
#include "session.h"
#include "tls.h"
#include "tls_broken.h"

static void
set_failure(struct session *s, enum phase phase, const struct smtp_reply *r)
{
	verdict_fini(&s->failure);
	verdict_refused(&s->failure, phase, session_host(s), r);
}

static void
refused(struct session *s, const struct smtp_reply *r)
{
	set_failure(s, s->phase, r);
	session_next_target(s);
}

static void
say_hello(struct session *s, enum phase phase)
{
	char line[ESMTP_LINE_MAX];
	int n = esmtp_hello(line, phase_command(phase), str_of(s->ehlo_name));

	if (n < 0) {
		verdict_fini(&s->failure);
		verdict_local(&s->failure, OUTCOME_DEFERRED, REASON_CONFIG,
		    "4.3.5", "the EHLO name is not a host name");
		s->failure.is_connect = CONNECT_FAILED;
		session_next_target(s);
		return;
	}
	session_command(s, line, (size_t)n);
	session_phase(s, phase);
}

static void
await_greeting(struct session *s)
{
	s->expected = 1;
	session_phase(s, PHASE_GREETING);
}

static bool
is_tls(const struct session *s)
{
	return stream_ssl(s->stream) != NULL;
}

/* TLS does not work here: once in clear where that is allowed. */
static void
tls_failed(struct session *s)
{
	s->facts.tls.result = "failed";
	if (s->need.level <= TLS_MAY && s->job != NULL) {
		session_retry_clear(s);
	} else {
		session_next_target(s);
	}
}

static void
tls_failure(struct session *s, const char *enh, const char *why)
{
	verdict_fini(&s->failure);
	verdict_local(&s->failure, OUTCOME_DEFERRED, REASON_TLS, enh,
	    "TLS required (%s), but %s: %s", s->need.source, why,
	    session_peer(s));
	s->failure.is_connect =
	    s->need.is_private ? CONNECT_FINE : CONNECT_FAILED;
	s->failure.command = s->route->is_smtps ? "" : "STARTTLS";
}

/* The capabilities are known: more security, or ready. */
static void
hello_done(struct session *s)
{
	bool is_offered = (s->ehlo.caps & EHLO_STARTTLS) != 0;

	s->facts.times.helo_ms += session_ms(s);
	if (is_tls(s) && s->auth_user != NULL) {
		auth_begin(s);
	} else if (is_tls(s)) {
		session_ready(s);
	} else if (is_offered && !s->is_clear && s->need.level > TLS_NONE) {
		session_command(s, "STARTTLS\r\n", 10);
		session_phase(s, PHASE_STARTTLS);
	} else if (s->need.level >= TLS_ENCRYPT) {
		tls_failure(s, "4.7.4", "it was not offered by host");
		session_next_target(s);
	} else {
		bug_on(s->auth_user != NULL); /* job_new has raised the level */
		session_ready(s);
	}
}

/*
 * A server with our own name is ourselves. A next hop that was fixed by hand
 * may be: a filter of ours, or a port that leads elsewhere.
 */
static bool
is_ourselves(const struct session *s, const struct smtp_reply *r)
{
	struct str rest = { r->text, r->text_len };
	struct str line;
	struct str name;

	if (s->route->is_fixed || r->code / 100 != 2 ||
	    !str_split(&rest, SMTP_REPLY_SEPARATOR, &line) ||
	    !str_split(&line, ' ', &name)) {
		return false;
	}
	return str_eq_case(name, str_of(s->ehlo_name)) ||
	    str_eq_case(name, str_of(conf()->myhostname));
}

/* RFC 5321 section 5.1: what is not better than this system is no way out. */
static void
loop_found(struct session *s)
{
	verdict_fini(&s->failure);
	verdict_local(&s->failure, OUTCOME_FAILED, REASON_ROUTING, "5.4.6",
	    "mail for %s loops back to myself: %s greets with my own name",
	    s->route->next_hop, session_peer(s));
	s->failure.is_connect = true;
	s->n_targets = s->target + 1;
	session_next_target(s);
}

/* The first words of the lines behind the first, for the record. */
static void
keep_keywords(struct session *s, const struct smtp_reply *r)
{
	struct str rest = { r->text, r->text_len };
	char *dst = s->facts.esmtp;
	struct str line;
	struct str word;
	size_t at = 0;

	(void)str_split(&rest, SMTP_REPLY_SEPARATOR, &line);
	while (str_split(&rest, SMTP_REPLY_SEPARATOR, &line)) {
		if (!str_split(&line, ' ', &word) ||
		    at + word.len + 2 > sizeof(s->facts.esmtp)) {
			continue;
		}
		if (at > 0) {
			dst[at++] = ' ';
		}
		(void)str_safe(dst + at, word.len + 1, word);
		at += word.len;
	}
	dst[at] = '\0';
}

static void
on_ehlo(struct session *s, const struct smtp_reply *r)
{
	if (r->code / 100 == 2) {
		/* RFC 3207 section 4.2: what was said before TLS is void. */
		ehlo_parse(r->text, r->text_len, &s->ehlo);
		keep_keywords(s, r);
		hello_done(s);
	} else if (r->code / 100 == 5 && r->code != 521) {
		/* RFC 5321 section 3.2: a server without extensions. */
		s->facts.times.helo_ms += session_ms(s);
		say_hello(s, PHASE_HELO);
	} else {
		refused(s, r);
	}
}

static SSL *
dane_ssl(const struct session *s)
{
	const struct route_host *h =
	    &s->route->hosts[s->targets[s->target].host];
	const char *hop = s->route->next_hop;

	/* RFC 7672 section 3.2.2: a next hop with a port has no MX records. */
	return tls_client_dane(
	    h->tlsa_name[0] != '\0' ? h->tlsa_name : s->facts.dest_host,
	    strpbrk(hop, "[:") == NULL ? hop : "", h->tlsa, h->n_tlsa);
}

static SSL *
new_ssl(const struct session *s)
{
	struct plan_address a;
	uint16_t port;

	if (s->need.level == TLS_DANE) {
		return dane_ssl(s);
	}
	return tls_client(s->facts.dest_host,
	    route_parse(str_of(s->facts.dest_host), &port, &a) == 0,
	    session_tls_key(s), s->need.level >= TLS_VERIFY);
}

static bool
start_tls(struct session *s)
{
	SSL *ssl = new_ssl(s);

	if (ssl == NULL) {
		tls_failure(s, "4.7.5", "no handshake can be made");
		tls_failed(s);
		return false;
	}
	stream_start_tls(s->stream, ssl, false);
	return true;
}

static void
on_starttls(struct session *s, const struct smtp_reply *r)
{
	if (r->code / 100 != 2) {
		set_failure(s, PHASE_STARTTLS, r);
		s->failure.reason = REASON_TLS;
		tls_failed(s);
	} else if (start_tls(s)) {
		/* The deadline goes on: they have one together. */
		s->phase = PHASE_TLS;
		s->is_settled = true;
	}
}

void
hello_begin(struct session *s)
{
	if (!s->route->is_smtps) {
		await_greeting(s);
	} else if (start_tls(s)) {
		session_phase(s, PHASE_TLS);
	}
}

void
hello_tls_done(struct session *s)
{
	SSL *ssl = stream_ssl(s->stream);

	tls_read_facts(ssl, &s->facts.tls);
	s->facts.times.tls_ms = session_ms(s);
	transcript_note(&s->transcript, "%s with %s", s->facts.tls.proto,
	    s->facts.tls.cipher);
	if (s->need.level >= TLS_VERIFY && !s->facts.tls.is_verified) {
		tls_failure(s, "4.7.5", tls_verify_text(ssl));
		session_next_target(s);
		return;
	}
	if (s->route->is_smtps) {
		await_greeting(s); /* RFC 8314 section 3: it comes inside TLS */
		return;
	}
	s->ehlo = (struct ehlo){ 0 };
	say_hello(s, PHASE_EHLO);
}

void
hello_reply(struct session *s, const struct smtp_reply *r)
{
	if ((s->phase == PHASE_GREETING || s->phase == PHASE_EHLO) &&
	    is_ourselves(s, r)) {
		loop_found(s);
		return;
	}
	switch (s->phase) {
	case PHASE_GREETING:
		s->facts.times.helo_ms = session_ms(s);
		if (r->code / 100 == 2) {
			say_hello(s, PHASE_EHLO);
		} else {
			refused(s, r);
		}
		break;
	case PHASE_EHLO:
		on_ehlo(s, r);
		break;
	case PHASE_HELO:
		if (r->code / 100 == 2) {
			hello_done(s);
		} else {
			refused(s, r);
		}
		break;
	case PHASE_AUTH:
		auth_reply(s, r);
		break;
	default:
		on_starttls(s, r);
		break;
	}
}

void
hello_broken(struct session *s, enum broken how)
{
	verdict_fini(&s->failure);
	session_broken_verdict(s, how, &s->failure);
	s->failure.is_connect = CONNECT_FAILED;
	if (s->phase == PHASE_TLS) {
		tls_forget(session_tls_key(s));
		if (s->need.level <= TLS_MAY) {
			tls_broken_remember(session_tls_key(s));
		}
		if (how == BROKEN_LOST) {
			tls_failure(s, "4.7.5", stream_error_text(s->stream));
		}
	}
	if (s->phase == PHASE_TLS || s->phase == PHASE_STARTTLS) {
		tls_failed(s);
	} else {
		session_next_target(s);
	}
}
