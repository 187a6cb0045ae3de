/*
 * A TCP connection with optional TLS, on the loop: what smtpd and deliver
 * speak SMTP over. Input is collected in a buffer that the owner consumes;
 * output is collected and sent at the end of the turn.
 *
 * TLS runs over memory, so that STARTTLS can be begun at any moment and the
 * handshake needs no other callback.
 */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "attr.h"
#include "buf.h"

struct stream;

enum stream_event {
	STREAM_READABLE,  /* input grew: look at stream_input */
	STREAM_DRAINED,	  /* all output is sent */
	STREAM_CONNECTED, /* stream_connect has succeeded */
	STREAM_TLS_DONE,  /* the handshake is complete */
	STREAM_EOF,	  /* the other side says nothing more */
	STREAM_ERROR,	  /* stream_error tells */
	STREAM_TIMEOUT,	  /* the deadline has passed */
};

/*
 * After STREAM_ERROR and STREAM_TIMEOUT the owner frees it. After STREAM_EOF
 * it may first send what it owes: the other side may have closed only its own
 * half of the connection (RFC 9293 section 3.6), and a close_notify closes no
 * more than that (RFC 8446 section 6.1).
 */
typedef void stream_fn(void *arg, enum stream_event ev);

/* Takes a connected socket that does not block. Never NULL. */
struct stream *stream_new(int fd, stream_fn *fn, void *arg);

/* Takes an unconnected socket (bound, if that is wanted) and connects it.
 * Reports STREAM_CONNECTED or STREAM_ERROR, never from within. */
struct stream *stream_connect(int fd, const struct sockaddr *to,
    unsigned to_len, stream_fn *fn, void *arg);

void stream_free(struct stream **s); /* closes at once */

/* Closes the socket when the output is sent (at most linger_us later); the
 * owner hears nothing any more and must not use *s. */
void stream_finish(struct stream **s, uint64_t linger_us);

/* Input not yet consumed: valid until the next stream_* call or return. */
struct str stream_input(struct stream *s);
void stream_consume(struct stream *s, size_t n);
/* Reading stops while more than this is unconsumed (default 64 KiB). */
void stream_set_input_max(struct stream *s, size_t bytes);
/* No more reading until resumed; data stays in the socket. */
void stream_pause(struct stream *s, bool is_paused);

/* Queues bytes for sending (copied). */
void stream_write(struct stream *s, const void *p, size_t n);
void stream_printf(struct stream *s, const char *fmt, ...) PRINTF(2, 3);
/* Queues memory that stays valid until done is called (once, also when the
 * stream is freed). */
void stream_write_ref(struct stream *s, const void *p, size_t n,
    void (*done)(void *arg), void *arg);
/* The output that follows is the last: it leaves with the end of the
 * connection in one segment. For a peer that says nothing more: if it does,
 * it may lose this output. */
void stream_hold(struct stream *s);
size_t stream_output(const struct stream *s); /* bytes not sent yet */
void stream_flush(struct stream *s);	      /* now, not at the turn's end */

/* STREAM_TIMEOUT after in_us from now unless set anew; 0: none. */
void stream_deadline(struct stream *s, uint64_t in_us);

/*
 * Begins TLS. server: accept, else connect. The SSL is taken. Bytes in the
 * input buffer must have been consumed or dropped by the caller: unread
 * plain text before a handshake is an attack (RFC 3207 section 6).
 */
void stream_start_tls(struct stream *s, SSL *ssl, bool server);
SSL *stream_ssl(const struct stream *s); /* NULL without TLS */

int stream_error(const struct stream *s);	 /* -errno */
const char *stream_error_text(struct stream *s); /* for people */

/* Address and port of both ends as text; dst has 46 bytes. */
void stream_peer_name(const struct stream *s, char *ip, uint16_t *port);
void stream_own_name(const struct stream *s, char *ip, uint16_t *port);
/* The same for an address from accept; "unknown" and 0 for no IP address. */
void stream_print_address(
    const struct sockaddr_storage *a, char *ip, uint16_t *port);
uint64_t stream_bytes_in(const struct stream *s);

#endif
