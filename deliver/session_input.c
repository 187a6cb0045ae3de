/*
 * What comes from a session's stream: replies, which go to the part of the
 * dialogue that waits for them, and the ends of connections.
 */
#include <errno.h>

#include "session.h"

void
session_broken_verdict(
    const struct session *s, enum broken how, struct verdict *v)
{
	switch (how) {
	case BROKEN_LOST:
		verdict_local(v, OUTCOME_DEFERRED, REASON_CONNECTION, "4.4.2",
		    "lost connection with %s while %s", session_peer(s),
		    phase_doing(s->phase));
		break;
	case BROKEN_TIMEOUT:
		verdict_local(v, OUTCOME_DEFERRED, REASON_TIMEOUT, "4.4.2",
		    "conversation with %s timed out while %s", session_peer(s),
		    phase_doing(s->phase));
		break;
	case BROKEN_PROTOCOL:
		verdict_local(v, OUTCOME_DEFERRED, REASON_PROTOCOL, "4.5.0",
		    "%s broke the protocol while %s", session_peer(s),
		    phase_doing(s->phase));
		break;
	}
	v->command = phase_command(s->phase);
}

static void
broken(struct session *s, enum broken how)
{
	static const char *const words[] = {
		[BROKEN_LOST] = "connection lost",
		[BROKEN_TIMEOUT] = "timed out",
		[BROKEN_PROTOCOL] = "protocol error",
	};

	transcript_note(
	    &s->transcript, "%s while %s", words[how], phase_doing(s->phase));
	if (s->phase == PHASE_IDLE) {
		if (how == BROKEN_TIMEOUT) {
			session_quit(s);
		} else {
			session_close(s);
		}
	} else if (s->phase < PHASE_LOAD) {
		hello_broken(s, how);
	} else if (s->phase != PHASE_CLOSED) {
		client_broken(s, how);
	}
}

/*
 * A complete reply. What stands behind it in the input was sent before our
 * next command: the server is out of step (RFC 2920 section 3.1), or somebody
 * injects text before a handshake.
 */
static void
on_reply(struct session *s)
{
	const struct smtp_reply *r = &s->parser.reply;
	bool is_premature;

	s->expected--;
	is_premature = s->expected == 0 && stream_input(s->stream).len > 0;
	transcript_received(&s->transcript, r);
	s->is_settled = false;
	if (is_premature && s->phase != PHASE_BODY && s->phase != PHASE_DOT) {
		transcript_note(&s->transcript, "and more, not asked for");
		broken(s, BROKEN_PROTOCOL);
		return;
	}
	s->must_close = s->must_close || is_premature;
	if (s->phase < PHASE_LOAD) {
		hello_reply(s, r);
	} else {
		client_reply(s, r);
	}
}

static void
on_input(struct session *s)
{
	unsigned generation = s->generation;

	while (s->generation == generation) {
		struct str in = stream_input(s->stream);
		size_t used;
		int r;

		if (in.len == 0) {
			return;
		}
		if (s->expected == 0) {
			broken(s,
			    s->phase == PHASE_IDLE ? BROKEN_LOST
						   : BROKEN_PROTOCOL);
			return;
		}
		r = smtp_reply_feed(&s->parser, in.p, in.len, &used);
		stream_consume(s->stream, used);
		if (r < 0) {
			broken(s, BROKEN_PROTOCOL);
			return;
		}
		if (r == 1) {
			on_reply(s);
		}
	}
}

static void
on_connected(struct session *s)
{
	s->facts.times.connect_ms = session_ms(s);
	stream_own_name(s->stream, s->facts.source_ip, &s->facts.source_port);
	transcript_note(&s->transcript, "connected to %s", session_peer(s));
	session_expect_replies(s);
	hello_begin(s);
}

static void
on_error(struct session *s)
{
	if (s->phase == PHASE_CONNECT) {
		session_connect_failed(s, stream_error(s->stream));
		session_next_target(s);
	} else {
		broken(s, BROKEN_LOST);
	}
}

static void
on_timeout(struct session *s)
{
	s->is_settled = false;
	if (s->phase == PHASE_CONNECT) {
		session_connect_failed(s, -ETIMEDOUT);
		session_next_target(s);
	} else if (s->phase != PHASE_BODY || !client_has_progress(s)) {
		broken(s, BROKEN_TIMEOUT);
	}
}

void
session_event(void *arg, enum stream_event ev)
{
	struct session *s = arg;

	if (s->phase == PHASE_QUIT) {
		farewell_event(s, ev);
		return;
	}
	switch (ev) {
	case STREAM_CONNECTED:
		on_connected(s);
		break;
	case STREAM_READABLE:
		on_input(s);
		break;
	case STREAM_DRAINED:
		client_drained(s);
		break;
	case STREAM_TLS_DONE:
		hello_tls_done(s);
		break;
	case STREAM_EOF:
		broken(s, BROKEN_LOST);
		break;
	case STREAM_ERROR:
		on_error(s);
		break;
	case STREAM_TIMEOUT:
		on_timeout(s);
		break;
	}
	session_settle(s);
}
