/*
 * The client of a dialogue: its end of the connection, with or without TLS.
 */
#ifndef TESTS_SMTP_CLIENT_H
#define TESTS_SMTP_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "attr.h"
#include "buf.h"
#include "session.h"

struct client_end {
	int fd;
	SSL *ssl;
	SSL_CTX *ctx;
	struct buf in;	/* what the server has said and nobody looked at */
	bool is_closed; /* by the server */
	char ip[46];	/* that the server sees */
	enum port_role role;
};

extern struct client_end end;

/* Where the dialogue is, for client_fail. */
extern const char *client_file;
extern unsigned client_line;

/* Ends this process with the place and the text. */
void client_fail(const char *fmt, ...) PRINTF(1, 2) NORETURN;

/* Appends s with its escapes \r \n \0 \t \xHH replaced. */
void client_unescape(const char *s, struct buf *out);

/* Does all of s match? A star stands for any bytes. */
bool client_matches(const char *pattern, struct str s);

/* Lets everything happen that can happen now. */
void client_settle(void);

/* Sends, as far as the server takes it. */
void client_push(struct str s);

/* Connects; before: bytes that are there before the server looks. */
void client_open(const char *before);
void client_close(void);
/* No more input for the server; what it says is still read. */
void client_close_half(void);

/* Handshake. max_version: highest to offer, or 0. */
void client_start_tls(bool must_fail, int max_version);

/* Writes a certificate and its key to a fresh file; path as for mkstemp. */
void client_make_certificate(char *path);

#endif
