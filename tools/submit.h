/*
 * A submission (RFC 6409) from the command line: one connection to the
 * submission server, one message. Whatever goes wrong ends the program with
 * one line on standard error and a status of sysexits.h: 75 when a later try
 * may help, 69 when the server refuses for good, 77 when it refuses the key.
 */
#ifndef TOOLS_SUBMIT_H
#define TOOLS_SUBMIT_H

#include <stddef.h>

#include "str.h"

struct submit;

/* What is submitted; all strings are the caller's. */
struct submit_envelope {
	struct str sender;	 /* empty: the null reverse-path */
	const char *mail_params; /* RET= and ENVID=, "" or " RET=..." */
	const char *rcpt_params; /* NOTIFY=, "" or " NOTIFY=..." */
	const struct str *rcpts;
	size_t n_rcpts;
};

/*
 * Connects to sendmail_server, or to the first submission listener of this
 * host, and logs in with the key of sendmail_key_file if there is one: then
 * inside TLS, and only with a server whose certificate is this host's own
 * (smtpd_tls_cert_file) or is valid for its name.
 */
struct submit *submit_open(void);

/*
 * Sends one message: content has CRLF line ends and is not dot-stuffed. All
 * recipients are accepted, or nothing is sent. Returns the final reply's text,
 * valid until submit_close.
 */
const char *submit_message(
    struct submit *s, const struct submit_envelope *e, struct str content);

/* Says QUIT; NULL is fine. */
void submit_close(struct submit **s);

/*
 * Copies standard input to the server and its replies to standard output until
 * either ends (sendmail -bs).
 */
void submit_pass_through(void);

#endif
