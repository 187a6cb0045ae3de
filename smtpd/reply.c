#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "refusals.h"
#include "service.h"
#include "session.h"
#include "tx.h"

/* A reply line with its CRLF (RFC 5321 section 4.5.3.1.5 says 512). */
#define REPLY_MAX 1024

/* Recipients beyond the limit are the client's bad arithmetic, not an
 * attack, up to so many. */
#define OVERSHOOT_MAX 1000

void
session_reply(struct session *s, const char *text)
{
	stream_write(s->stream, text, strlen(text));
	stream_write(s->stream, "\r\n", 2);
}

void
session_replyf(struct session *s, const char *fmt, ...)
{
	char text[REPLY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	session_reply(s, text);
}

void
session_error(struct session *s, const char *text)
{
	s->errors++;
	log_debug("unknown[%s]: %s", s->ip, text);
	session_reply(s, text);
}

static void
log_reject(
    const struct session *s, const char *what, const char *text, const char *to)
{
	char from[SMTP_PATH_PRINT_MAX] = "";
	char rcpt[SMTP_PATH_PRINT_MAX] = "";
	char helo[256];

	if (s->tx != NULL) {
		(void)str_safe(from, sizeof(from), str_of(s->tx->sender));
	}
	(void)str_safe(rcpt, sizeof(rcpt), str_of(to));
	(void)str_safe(helo, sizeof(helo), str_of(s->helo));
	log_info("NOQUEUE: reject: %s from unknown[%s]: %s; from=<%s>%s%s%s "
		 "proto=%s helo=<%s>%s%s",
	    what, s->ip, text, from, to != NULL ? " to=<" : "", rcpt,
	    to != NULL ? ">" : "", session_protocol(s, false), helo,
	    s->account.is_known ? " account=" : "",
	    s->account.is_known ? s->account.name : "");
}

void
session_refuse(
    struct session *s, const char *what, const char *text, const char *to)
{
	if (text[0] == '5') {
		s->errors++;
	}
	log_reject(s, what, text, to);
	refusals_note(s, what, text, to);
	session_reply(s, text);
}

void
session_refuse_as(struct session *s, const char *what, unsigned code,
    struct str enh, struct str text, const char *to)
{
	char line[REPLY_MAX];
	char safe_enh[17];
	char safe_text[513];

	/* A wrong code of ours must not desynchronise the dialogue. */
	if (code < 400 || code > 599) {
		code = 451;
	}
	(void)str_safe(safe_enh, sizeof(safe_enh), enh);
	(void)str_safe(safe_text, sizeof(safe_text), text);
	(void)snprintf(line, sizeof(line), "%u %s%s%s", code, safe_enh,
	    enh.len != 0 ? " " : "", safe_text);
	session_refuse(s, what, line, to);
}

void
session_close(struct session *s, const char *text)
{
	session_reply(s, text);
	s->is_closing = true;
}

void
session_check_limits(struct session *s)
{
	if (s->is_closing) {
		return;
	}
	if (s->errors >= conf()->smtpd_hard_error_limit) {
		log_info("too many errors from unknown[%s]", s->ip);
		session_close(s, "421 4.7.0 Error: too many errors");
	} else if (s->overshoot > OVERSHOOT_MAX) {
		log_info("too many recipients from unknown[%s]", s->ip);
		session_close(s, "421 4.5.3 Error: too many recipients");
	}
}

void
session_count_junk(struct session *s)
{
	if (s->junk < conf()->smtpd_junk_command_limit) {
		s->junk++;
	} else {
		s->errors++;
	}
}

const char *
session_protocol(const struct session *s, bool utf8)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	if (!s->is_esmtp) {
		return "SMTP";
	}
	return names[utf8][session_is_tls(s)][s->auth_method != NULL];
}
