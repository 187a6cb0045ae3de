/*
 * AUTH towards a next hop that an administrator has fixed (RFC 4954): PLAIN
 * (RFC 4616), else LOGIN, which old servers know. Only inside TLS.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "session.h"

/* User and password have up to 255 bytes each (ipc.def). */
#define PLAIN_MAX (1 + 255 + 1 + 255)
#define LINE_MAX_BYTES (16 + 4 * ((PLAIN_MAX + 2) / 3) + 3)

/* Sends prefix and the base64 of the bytes; leaves no copy behind. */
static void
send_base64(struct session *s, const char *prefix, const void *p, size_t n,
    const char *note)
{
	char line[LINE_MAX_BYTES];
	size_t len = strlen(prefix);

	bug_on(n > PLAIN_MAX);
	memcpy(line, prefix, len);
	len += (size_t)EVP_EncodeBlock(
	    (unsigned char *)line + len, (const unsigned char *)p, (int)n);
	memcpy(line + len, "\r\n", 2);
	session_secret(s, line, len + 2, note);
	explicit_bzero(line, sizeof(line));
}

static void
send_plain(struct session *s)
{
	char text[PLAIN_MAX];
	size_t user = strlen(s->auth_user);
	size_t password = strlen(s->auth_password);

	text[0] = '\0';
	memcpy(text + 1, s->auth_user, user);
	text[1 + user] = '\0';
	memcpy(text + 2 + user, s->auth_password, password);
	send_base64(
	    s, "AUTH PLAIN ", text, 2 + user + password, "AUTH PLAIN [hidden]");
	explicit_bzero(text, sizeof(text));
}

/* Nobody but an administrator can mend it, so the mail waits. */
static void
auth_failed(struct session *s)
{
	s->failure.reason = REASON_CONFIG;
	s->failure.is_connect = true;
	s->failure.command = "AUTH";
	session_next_target(s);
}

void
auth_begin(struct session *s)
{
	s->is_login = (s->ehlo.caps & EHLO_AUTH_PLAIN) == 0;
	session_phase(s, PHASE_AUTH);
	if (!s->is_login) {
		send_plain(s);
	} else if ((s->ehlo.caps & EHLO_AUTH_LOGIN) != 0) {
		session_command(s, "AUTH LOGIN\r\n", 12);
		s->login_step = 0;
	} else {
		verdict_fini(&s->failure);
		verdict_local(&s->failure, OUTCOME_DEFERRED, REASON_CONFIG,
		    "4.7.0",
		    "smtp_sasl_password_maps has a password for %s, but it "
		    "offers neither AUTH PLAIN nor AUTH LOGIN",
		    session_peer(s));
		auth_failed(s);
	}
}

void
auth_reply(struct session *s, const struct smtp_reply *r)
{
	if (r->code == 334 && s->is_login && s->login_step < 2) {
		const char *answer =
		    s->login_step == 0 ? s->auth_user : s->auth_password;

		s->login_step++;
		session_phase(s, PHASE_AUTH);
		send_base64(s, "", answer, strlen(answer), "[hidden]");
	} else if (r->code / 100 == 2 && (!s->is_login || s->login_step == 2)) {
		session_ready(s);
	} else {
		verdict_fini(&s->failure);
		verdict_refused(&s->failure, PHASE_AUTH, session_host(s), r);
		auth_failed(s);
	}
}
