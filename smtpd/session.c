#include "session.h"

#include <string.h>

#include "clock.h"
#include "log.h"
#include "login.h"
#include "service.h"
#include "soon.h"
#include "tls.h"
#include "tx.h"
#include "worker.h"

/* How long a last reply may take to leave. */
#define LINGER_US (5 * US_PER_S)

/* Of a command that is too long so much is read before the end. */
#define SKIP_MAX (64 * 1024)

/* A client that does not read its replies gets no more than this. */
#define OUTPUT_MAX (64 * 1024)

static void session_event(void *arg, enum stream_event ev);
static void set_deadline(struct session *s);

bool
session_is_tls(const struct session *s)
{
	return stream_ssl(s->stream) != NULL;
}

static void
greet(struct session *s)
{
	s->mode = MODE_COMMAND;
	session_replyf(s, "220 %s", conf()->smtpd_banner);
}

void
session_new(int fd, enum port_role role, struct client *client, const char *ip,
    uint16_t port, bool is_trusted)
{
	struct session *s = mem_alloc(sizeof(*s));

	s->role = role;
	s->client = client;
	s->is_trusted = is_trusted;
	s->port = port;
	s->id = uuid_random();
	str_copy(s->ip, sizeof(s->ip), str_of(ip));
	s->stream = stream_new(fd, session_event, s);
	worker_add(s);
	soon_touch(s);
	log_debug("connect from unknown[%s]", s->ip);
	if (role == PORT_SUBMISSIONS) {
		s->mode = MODE_HANDSHAKE;
		set_deadline(s);
		stream_start_tls(s->stream, tls_new(role), true);
		return;
	}
	greet(s);
	set_deadline(s);
}

/* The client went before it had what it came for. */
static void
log_loss(struct session *s)
{
	if (s->mode == MODE_HANDSHAKE) {
		log_info("SSL_accept error from unknown[%s]: %s", s->ip,
		    stream_error_text(s->stream));
	} else if (s->tx != NULL) {
		log_info("lost connection after %s from unknown[%s]",
		    s->mode == MODE_COMMAND ? "MAIL" : "DATA", s->ip);
	}
}

/* What is not the stream. */
static void
release(struct session *s)
{
	session_reset_tx(s);
	login_end(&s->login);
	ask_cancel(&s->ask);
	client_leave(s->client);
	soon_leave(s);
	worker_remove(s);
	free(s);
}

void
session_free(struct session *s)
{
	log_debug("disconnect from unknown[%s]", s->ip);
	stream_free(&s->stream);
	release(s);
}

/* The last reply goes out, then the connection ends. */
static void
finish(struct session *s)
{
	log_debug("disconnect from unknown[%s]", s->ip);
	stream_finish(&s->stream, LINGER_US);
	release(s);
}

int
session_ask(
    struct session *s, enum ipc_type type, const void *req, peer_reply_fn *fn)
{
	int r = ask_new(&s->ask, ROLE_ACCOUNTD, type, req, -1, fn, s);

	if (r == 0) {
		s->is_waiting = true;
	}
	return r;
}

void
session_reset_tx(struct session *s)
{
	struct tx *tx = s->tx;

	s->tx = NULL;
	if (tx != NULL) {
		tx_abandon(tx);
	}
}

void
session_forget(struct session *s)
{
	session_reset_tx(s);
	s->helo[0] = '\0';
	s->is_esmtp = false;
	s->account = (struct session_account){ 0 };
	s->auth_method = NULL;
	s->auth_user[0] = '\0';
}

/* ---- lines -------------------------------------------------------------- */

/* Is this the beginning of an AUTH command, or a SASL response? */
static size_t
line_limit(const struct session *s, struct str in)
{
	if (s->mode == MODE_AUTH ||
	    (in.len >= 5 &&
		str_eq_case((struct str){ in.p, 5 }, STR("AUTH ")))) {
		return LOGIN_LINE_MAX;
	}
	return conf()->smtpd_command_length_limit;
}

/* Too long a line: no part of it is a command. */
static bool
begin_skipping(struct session *s)
{
	login_end(&s->login);
	s->skipped = 0;
	s->mode = MODE_SKIP_LINE;
	return true;
}

static bool
skip_line(struct session *s)
{
	struct str in = stream_input(s->stream);
	const char *lf = in.len != 0 ? memchr(in.p, '\n', in.len) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - in.p) + 1 : in.len;

	stream_consume(s->stream, n);
	s->skipped += (uint32_t)n;
	if (s->skipped > SKIP_MAX) {
		session_close(s, "421 4.7.0 Error: line too long");
	} else if (lf != NULL) {
		s->mode = MODE_COMMAND;
		session_error(s, "500 5.5.2 Error: line too long");
	}
	return lf != NULL;
}

/* RFC 5321 section 2.3.8: only CRLF ends a line; no CR, LF or NUL in it. */
static bool
is_clean(struct str line, bool has_cr)
{
	return has_cr &&
	    (line.len == 0 ||
		(memchr(line.p, '\r', line.len) == NULL &&
		    memchr(line.p, '\0', line.len) == NULL));
}

static void
run_line(struct session *s, struct str line, bool has_cr)
{
	if (!is_clean(line, has_cr)) {
		if (s->mode == MODE_AUTH) {
			login_end(&s->login);
			s->mode = MODE_COMMAND;
		}
		session_error(
		    s, "500 5.5.2 Error: bare CR, bare LF or NUL in command");
	} else if (s->mode == MODE_AUTH) {
		auth_response(s, line);
	} else {
		command_run(s, line);
	}
}

/* One line of input, if there is one. */
static bool
line_step(struct session *s)
{
	static char line[LOGIN_LINE_MAX + 2];
	struct str in = stream_input(s->stream);
	size_t limit, len;
	const char *lf;
	bool has_cr, is_secret = s->mode == MODE_AUTH;

	if (in.len == 0) {
		return false;
	}
	limit = line_limit(s, in);
	len = in.len < limit ? in.len : limit;
	lf = memchr(in.p, '\n', len);
	if (lf == NULL) {
		return in.len >= limit ? begin_skipping(s) : false;
	}
	len = (size_t)(lf - in.p);
	has_cr = len > 0 && in.p[len - 1] == '\r';
	len -= has_cr;
	/* A copy: replies and the handshake may move the input. */
	memcpy(line, in.p, len);
	line[len] = '\0';
	is_secret |=
	    len >= 5 && str_eq_case((struct str){ line, 5 }, STR("AUTH "));
	if (is_secret) {
		explicit_bzero((void *)(uintptr_t)in.p, len);
	}
	stream_consume(s->stream, (size_t)(lf - in.p) + 1);
	run_line(s, (struct str){ line, len }, has_cr);
	if (is_secret) {
		explicit_bzero(line, len);
	}
	return true;
}

/* ---- running ------------------------------------------------------------ */

/* Does the client take its replies? If not, it waits until it does. */
static bool
is_heard(struct session *s)
{
	if (stream_output(s->stream) > OUTPUT_MAX) {
		stream_flush(s->stream);
	}
	return stream_output(s->stream) <= OUTPUT_MAX;
}

/* One command or piece of content. False: there is nothing to do now. */
static bool
step(struct session *s)
{
	switch (s->mode) {
	case MODE_HANDSHAKE:
		return false;
	case MODE_COMMAND:
	case MODE_AUTH:
		return line_step(s);
	case MODE_SKIP_LINE:
		return skip_line(s);
	case MODE_DATA:
	case MODE_BDAT:
	case MODE_BDAT_SKIP:
		return data_step(s);
	}
	return false;
}

static void
set_deadline(struct session *s)
{
	uint64_t in_us = s->mode == MODE_HANDSHAKE
	    ? conf()->smtpd_starttls_timeout
	    : conf()->smtpd_timeout;

	if (s->is_waiting) {
		in_us = 0; /* the request has its own */
	} else if (s->mode == MODE_DATA || s->mode == MODE_BDAT) {
		in_us = data_deadline(s);
	} else if (!s->account.is_known && !s->is_trusted &&
	    worker_is_crowded() && in_us > conf()->smtpd_stress_timeout) {
		in_us = conf()->smtpd_stress_timeout;
	}
	s->has_deadline = in_us != 0;
	stream_deadline(s->stream, in_us);
}

/* Ends a session that has no future. */
static void
say_goodbye(struct session *s)
{
	if (s->is_revoked) {
		session_close(s,
		    s->is_key_changed
			? "421 4.7.0 Error: the key is changed, log in again"
			: "421 4.7.0 Error: the key is revoked");
	} else if (worker_is_draining() && s->tx == NULL &&
	    s->mode != MODE_HANDSHAKE) {
		session_close(s, "421 4.3.2 Service shutting down");
	}
}

void
session_revoke(struct session *s, bool is_changed)
{
	s->is_revoked = true;
	s->is_key_changed = is_changed;
	session_run(s);
}

void
session_run(struct session *s)
{
	bool has_stepped = false, is_held = false;

	while (!s->is_waiting && !s->is_closing) {
		is_held = !is_heard(s);
		if (is_held || !step(s)) {
			break;
		}
		has_stepped = true;
		session_check_limits(s);
	}
	if (!s->is_closing && !s->is_waiting) {
		say_goodbye(s);
	}
	if (s->is_eof && !s->is_closing && !s->is_waiting && !is_held) {
		log_loss(s);
		s->is_closing = true;
	}
	if (s->is_closing) {
		finish(s);
		return;
	}
	/* A command that comes byte by byte has no more time than others. */
	if (has_stepped || s->is_waiting || !s->has_deadline) {
		set_deadline(s);
	}
}

void
session_drain(struct session *s)
{
	bool is_busy = s->is_waiting || s->mode == MODE_DATA ||
	    (s->tx != NULL && s->tx->is_bdat);

	if (is_busy) {
		return;
	}
	if (s->mode == MODE_HANDSHAKE) {
		session_free(s);
		return;
	}
	session_close(s, "421 4.3.2 Service shutting down");
	finish(s);
}

static void
timed_out(struct session *s)
{
	if (s->mode == MODE_HANDSHAKE) {
		log_info("SSL_accept error from unknown[%s]: timeout", s->ip);
		session_free(s);
		return;
	}
	log_info("timeout after %s from unknown[%s]",
	    s->mode == MODE_DATA || s->mode == MODE_BDAT ? "DATA" : "command",
	    s->ip);
	session_close(s, "421 4.4.2 Error: timeout exceeded");
	finish(s);
}

static void
session_event(void *arg, enum stream_event ev)
{
	struct session *s = arg;

	switch (ev) {
	case STREAM_READABLE:
		soon_touch(s);
		session_run(s);
		break;
	case STREAM_TLS_DONE:
		soon_touch(s);
		if (s->role == PORT_SUBMISSIONS) {
			greet(s);
		}
		s->mode = MODE_COMMAND;
		s->has_deadline = false; /* that was the handshake's */
		session_run(s);
		break;
	case STREAM_EOF:
		s->is_eof = true;
		session_run(s);
		break;
	case STREAM_ERROR:
		log_loss(s);
		session_free(s);
		break;
	case STREAM_TIMEOUT:
		timed_out(s);
		break;
	case STREAM_DRAINED:
		session_run(s);
		break;
	case STREAM_CONNECTED:
		break;
	}
}
