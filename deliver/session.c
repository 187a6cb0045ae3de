#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "deliver.h"
#include "loop.h"
#include "result.h"
#include "service.h"

TAILQ_HEAD(all_sessions, session);

static struct all_sessions sessions = TAILQ_HEAD_INITIALIZER(sessions);
static struct all_sessions dead = TAILQ_HEAD_INITIALIZER(dead);
static struct loop_defer bury;

/* ---- life --------------------------------------------------------------- */

struct session *
session_new(struct path *p)
{
	struct session *s = mem_alloc(sizeof(*s));

	s->path = p;
	s->phase = PHASE_CONNECT;
	TAILQ_INSERT_TAIL(&sessions, s, all);
	return s;
}

static void
session_free(struct session *s)
{
	stream_free(&s->stream);
	content_close(&s->tx.content);
	route_release(&s->route);
	verdict_fini(&s->failure);
	transcript_fini(&s->transcript);
	free(s->reply_text);
	if (s->auth_password != NULL) {
		explicit_bzero(s->auth_password, strlen(s->auth_password));
	}
	free(s->auth_user);
	free(s->auth_password);
	free(s);
}

/* Callers up the stack still look at the session, so it goes later. */
static void
bury_dead(void *arg)
{
	struct session *s;

	(void)arg;
	while ((s = TAILQ_FIRST(&dead)) != NULL) {
		TAILQ_REMOVE(&dead, s, all);
		session_free(s);
	}
}

void
session_bury(struct session *s)
{
	s->phase = PHASE_CLOSED;
	TAILQ_REMOVE(&sessions, s, all);
	TAILQ_INSERT_TAIL(&dead, s, all);
	loop_defer(&bury, bury_dead, NULL);
}

void
session_close(struct session *s)
{
	bug_on(s->job != NULL);
	if (s->phase == PHASE_CLOSED || s->phase == PHASE_QUIT) {
		return;
	}
	stream_free(&s->stream);
	content_close(&s->tx.content);
	s->generation++;
	path_session_gone(s);
	session_bury(s);
}

void
session_say_quit(struct session *s)
{
	stream_write(s->stream, "QUIT\r\n", 6);
	stream_finish(&s->stream, conf()->smtp_quit_timeout);
}

void
session_quit(struct session *s)
{
	if (s->phase == PHASE_CLOSED || s->phase == PHASE_QUIT) {
		return;
	}
	if (s->path->is_counted && !deliver_is_draining()) {
		farewell_begin(s);
	} else {
		session_say_quit(s);
		session_close(s);
	}
}

void
sessions_fini(void)
{
	struct session *s;

	loop_defer_cancel(&bury);
	bury_dead(NULL);
	while ((s = TAILQ_FIRST(&sessions)) != NULL) {
		TAILQ_REMOVE(&sessions, s, all);
		session_free(s);
	}
}

/* ---- phases and commands ------------------------------------------------ */

void
session_phase(struct session *s, enum phase p)
{
	s->phase = p;
	s->phase_us = clock_mono_us();
	s->is_settled = false;
}

/* How old the connection may become, microseconds. */
static uint64_t
age_limit(const struct session *s)
{
	uint64_t conf_us = conf()->smtp_connection_reuse_time_limit;
	uint64_t path_us = s->path->conn_us;

	return path_us != 0 && path_us < conf_us ? path_us : conf_us;
}

/* How long the server may be silent in this phase, microseconds. */
static uint64_t
deadline(const struct session *s)
{
	uint64_t wait = phase_timeout(s->phase);
	uint64_t age = clock_mono_us() - s->opened_us;

	if (s->phase == PHASE_IDLE && age + wait > age_limit(s)) {
		return age_limit(s) > age ? age_limit(s) - age : 1;
	}
	return wait;
}

void
session_settle(struct session *s)
{
	if (s->phase != PHASE_CLOSED && !s->is_settled) {
		s->is_settled = true;
		stream_deadline(s->stream, deadline(s));
	}
}

uint32_t
session_ms(const struct session *s)
{
	return (uint32_t)((clock_mono_us() - s->phase_us) / US_PER_MS);
}

struct str
session_host(const struct session *s)
{
	return str_of(s->facts.dest_host);
}

void
session_command(struct session *s, const char *line, size_t len)
{
	transcript_sent(&s->transcript, (struct str){ line, len - 2 });
	stream_write(s->stream, line, len);
	s->expected++;
}

void
session_secret(
    struct session *s, const char *line, size_t len, const char *note)
{
	transcript_sent(&s->transcript, str_of(note));
	stream_write(s->stream, line, len);
	s->expected++;
}

void
session_expect_replies(struct session *s)
{
	const struct smtp_reply_limits limits = {
		.line_bytes = SMTP_REPLY_LINE_MAX,
		.lines = SMTP_REPLY_LINES_MAX,
	};

	if (s->reply_text == NULL) {
		s->reply_text = mem_resize(NULL, conf()->smtp_reply_size_limit);
	}
	smtp_reply_init(
	    &s->parser, &limits, s->reply_text, conf()->smtp_reply_size_limit);
}

const char *
session_key_of(const char *host, uint16_t port)
{
	static char key[sizeof(((struct facts *)NULL)->dest_host) + 8];

	(void)snprintf(key, sizeof(key), "%s:%u", host, (unsigned)port);
	return key;
}

const char *
session_tls_key(const struct session *s)
{
	return session_key_of(s->facts.dest_host, s->facts.dest_port);
}

const char *
session_peer(const struct session *s)
{
	static char text[256 + 64];

	(void)snprintf(text, sizeof(text), "%s[%s]:%u", s->facts.dest_host,
	    s->facts.dest_ip, (unsigned)s->facts.dest_port);
	return text;
}

/* ---- jobs --------------------------------------------------------------- */

void
session_bind(struct session *s, struct job *j)
{
	s->job = j;
	j->session = s;
	j->state = JOB_BOUND;
}

void
session_unbind(struct session *s)
{
	s->job->session = NULL;
	s->job->state = JOB_NEW;
	s->job = NULL;
}

void
session_open(struct session *s, struct job *j)
{
	session_bind(s, j);
	s->route = route_hold(j->route);
	s->policy = j->policy;
	if (j->auth_user.len > 0) {
		s->auth_user = str_dup(j->auth_user);
		s->auth_password = str_dup(j->auth_password);
	}
	s->opened_us = clock_mono_us();
	session_begin_targets(s);
}

/* Whether the one who logs in, or nobody, is the one that the job wants. */
static bool
is_same_user(const struct session *s, const struct job *j)
{
	if (s->auth_user == NULL) {
		return j->auth_user.len == 0;
	}
	return str_is(j->auth_user, s->auth_user) &&
	    str_is(j->auth_password, s->auth_password);
}

bool
session_will_serve(const struct session *s, const struct job *j)
{
	return s->route == j->route && is_same_user(s, j) &&
	    s->policy.level >= j->policy.level &&
	    (s->policy.wants_dane || !j->policy.wants_dane) &&
	    (s->policy.wants_sts || !j->policy.wants_sts);
}

/* What the open connection has against what is asked for. */
static bool
is_enough(const struct session *s, enum tls_level level)
{
	switch (level) {
	case TLS_NONE:
	case TLS_MAY:
		return true;
	case TLS_ENCRYPT:
		return stream_ssl(s->stream) != NULL;
	case TLS_VERIFY:
		return stream_ssl(s->stream) != NULL &&
		    s->facts.tls.is_verified;
	case TLS_DANE:
		return s->need.level == TLS_DANE && s->facts.tls.is_verified;
	case TLS_LEAVE:
		break;
	}
	return false;
}

bool
session_serves(const struct session *s, const struct job *j)
{
	const struct route_host *h;

	if ((j->is_fresh && s->uses > 0) || !is_same_user(s, j)) {
		return false;
	}
	h = route_find_host(j->route, s->facts.dest_host, s->facts.dest_port);
	return h != NULL &&
	    is_enough(s,
		tls_policy_at_host(
		    &j->policy, h->tlsa_state, route_sts(j->route, h))
		    .level);
}

void
session_note_need(struct session *s)
{
	const struct job *j = s->job;
	const struct route_host *h =
	    route_find_host(j->route, s->facts.dest_host, s->facts.dest_port);

	if (h != NULL) {
		struct tls_policy need = tls_policy_at_host(
		    &j->policy, h->tlsa_state, route_sts(j->route, h));

		s->facts.tls.policy = need.name;
		s->facts.tls.source = need.source;
	}
}

void
session_result(struct session *s)
{
	struct job *j = s->job;

	s->job = NULL;
	j->session = NULL;
	j->state = JOB_NEW;
	result_job(&j, &s->facts, buf_str(&s->transcript.text));
}

static bool
is_below(const struct session *s, uint64_t limit)
{
	return limit == 0 || s->uses < limit;
}

/* Whether the connection may carry one more transaction. */
static bool
is_reusable(const struct session *s)
{
	return !s->must_close &&
	    is_below(s, conf()->smtp_connection_reuse_limit) &&
	    is_below(s, s->path->conn_messages) &&
	    is_below(s, s->ehlo.mail_max) &&
	    clock_mono_us() - s->opened_us < age_limit(s);
}

static void
go_idle(struct session *s)
{
	if (conf()->smtp_connection_idle_time == 0) {
		session_quit(s);
		return;
	}
	session_phase(s, PHASE_IDLE);
	free(s->reply_text);
	s->reply_text = NULL;
	transcript_clear(&s->transcript);
	path_session_idle(s);
}

/* Begins jobs until one is under way; those that fail at once are over. */
static void
begin_next(struct session *s, struct job *j)
{
	for (; j != NULL; j = path_take(s)) {
		if (job_is_late(j)) {
			result_return(&j);
			continue;
		}
		path_session_busy(s);
		if (client_begin(s, j)) {
			return;
		}
	}
	go_idle(s);
}

void
session_ready(struct session *s)
{
	struct job *j = s->job;

	if (j != NULL) {
		session_unbind(s);
	} else {
		j = path_take(s);
	}
	begin_next(s, j);
}

void
session_next(struct session *s)
{
	if (s->must_close) {
		session_close(s);
	} else if (!is_reusable(s)) {
		session_quit(s);
	} else {
		transcript_clear(&s->transcript);
		s->facts.times = (struct facts_times){ 0 };
		begin_next(s, path_take(s));
	}
}

void
session_start(struct session *s, struct job *j)
{
	if (!is_reusable(s)) {
		path_put_back(j); /* it has the place of this one now */
		session_quit(s);
		return;
	}
	s->facts.times = (struct facts_times){ 0 };
	session_expect_replies(s);
	begin_next(s, j);
	session_settle(s);
}
