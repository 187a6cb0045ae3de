#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "conf.h"
#include "log.h"
#include "service.h"
#include "session.h"
#include "tls.h"
#include "tx.h"
#include "worker.h"

typedef void command_fn(struct session *s, struct str args);

struct command {
	const char *verb;
	command_fn *fn;
};

/*
 * RFC 2920 section 3.1: EHLO and DATA end a group. A stranger who has said
 * more than that does not read our replies; that is a bot, or somebody else's
 * protocol carried over to us.
 */
bool
command_is_improper(struct session *s)
{
	if (s->account.is_known || s->is_trusted ||
	    stream_input(s->stream).len == 0) {
		return false;
	}
	log_info("improper command pipelining from unknown[%s]", s->ip);
	session_close(s, "554 5.5.0 Error: improper command pipelining");
	return true;
}

/* Is it a name that a client may call itself (RFC 5321 section 4.1.1.1)? */
static bool
is_helo(struct str name)
{
	struct domain_ip ip;

	if (name.len != 0 && name.p[name.len - 1] == '.') {
		name.len--;
	}
	return domain_is_valid(name.p, name.len, DOMAIN_UNDERSCORE) ||
	    domain_literal_parse(name.p, name.len, &ip) == 0 ||
	    domain_ip_parse(name.p, name.len, &ip) == 0;
}

/* Notes the name; a new greeting ends what was begun (RFC 5321 4.1.4). */
static bool
take_helo(struct session *s, struct str args, bool is_esmtp)
{
	if (args.len >= sizeof(s->helo) || !is_helo(args)) {
		session_error(s,
		    is_esmtp ? "501 5.5.4 Syntax: EHLO hostname"
			     : "501 5.5.4 Syntax: HELO hostname");
		return false;
	}
	if (command_is_improper(s)) {
		return false;
	}
	if (s->helo[0] != '\0') {
		session_count_junk(s);
	}
	session_reset_tx(s);
	str_copy(s->helo, sizeof(s->helo), args);
	s->is_esmtp = is_esmtp;
	return true;
}

static void
command_helo(struct session *s, struct str args)
{
	if (take_helo(s, args, false)) {
		session_replyf(s, "250 %s", worker_hostname());
	}
}

static void
command_ehlo(struct session *s, struct str args)
{
	bool is_mx = s->role == PORT_MX;

	if (!take_helo(s, args, true)) {
		return;
	}
	session_replyf(s, "250-%s", worker_hostname());
	session_reply(s, "250-PIPELINING");
	session_replyf(
	    s, "250-SIZE %llu", (unsigned long long)conf()->message_size_limit);
	if (!session_is_tls(s) && tls_is_available()) {
		session_reply(s, "250-STARTTLS");
	}
	if (session_is_tls(s) && !is_mx) {
		session_reply(s, "250-AUTH PLAIN LOGIN");
	}
	session_reply(s, "250-ENHANCEDSTATUSCODES");
	session_reply(s, "250-8BITMIME");
	if (!is_mx) {
		session_reply(s, "250-DSN");
	}
	if (session_is_tls(s) && !is_mx) {
		session_reply(s, "250-REQUIRETLS");
	}
	session_reply(s, "250-SMTPUTF8");
	session_reply(s, "250 CHUNKING");
}

static void
command_rset(struct session *s, struct str args)
{
	if (args.len != 0) {
		session_error(s, "501 5.5.4 Syntax: RSET");
		return;
	}
	session_count_junk(s);
	session_reset_tx(s);
	session_reply(s, "250 2.0.0 Ok");
}

static void
command_noop(struct session *s, struct str args)
{
	(void)args;
	session_count_junk(s);
	session_reply(s, "250 2.0.0 Ok");
}

/* RFC 5321 section 3.5.3: we cannot tell, and would not. */
static void
command_vrfy(struct session *s, struct str args)
{
	session_count_junk(s);
	if (args.len == 0) {
		session_error(s, "501 5.5.4 Syntax: VRFY address");
		return;
	}
	session_reply(
	    s, "252 2.0.0 Cannot VRFY, but will take the message and try");
}

static void
command_help(struct session *s, struct str args)
{
	(void)args;
	session_count_junk(s);
	session_reply(s,
	    "214 2.0.0 EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT STARTTLS "
	    "AUTH");
}

static void
command_quit(struct session *s, struct str args)
{
	if (args.len != 0) {
		session_error(s, "501 5.5.4 Syntax: QUIT");
		return;
	}
	/* What was said before must not wait for the end. */
	if (stream_output(s->stream) == 0) {
		stream_hold(s->stream);
	}
	session_close(s, "221 2.0.0 Bye");
}

/* A browser made to talk to us would go on with lines that are commands. */
static void
command_foreign(struct session *s, struct str args)
{
	(void)args;
	log_info("non-SMTP command from unknown[%s]", s->ip);
	session_close(s, "554 5.5.1 Error: this is a mail server");
}

static const struct command commands[] = {
	{ "MAIL", command_mail },
	{ "RCPT", command_rcpt },
	{ "DATA", command_data },
	{ "BDAT", command_bdat },
	{ "EHLO", command_ehlo },
	{ "QUIT", command_quit },
	{ "RSET", command_rset },
	{ "AUTH", command_auth },
	{ "STARTTLS", command_starttls },
	{ "HELO", command_helo },
	{ "NOOP", command_noop },
	{ "VRFY", command_vrfy },
	{ "HELP", command_help },
	{ "GET", command_foreign },
	{ "POST", command_foreign },
	{ "CONNECT", command_foreign },
};

void
command_run(struct session *s, struct str line)
{
	struct str args = line;
	struct str verb = { 0 };

	s->command_us = clock_mono_us();
	(void)str_split(&args, ' ', &verb);
	args = str_trim(args);
	for (size_t i = 0; i < array_len(commands); i++) {
		const struct command *c = &commands[i];

		if (verb.len == strlen(c->verb) &&
		    strncasecmp(verb.p, c->verb, verb.len) == 0) {
			c->fn(s, args);
			return;
		}
	}
	session_error(s,
	    verb.len != 0 ? "502 5.5.2 Error: command not recognized"
			  : "500 5.5.2 Error: bad syntax");
}
