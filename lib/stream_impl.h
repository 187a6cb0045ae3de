/*
 * What stream.c (the connection), stream_output.c, stream_tls.c (TLS over it)
 * and stream_name.c share; nobody else includes it.
 */
#ifndef LIB_STREAM_IMPL_H
#define LIB_STREAM_IMPL_H

#include "loop.h"
#include "stream.h"

#define READ_SIZE (16 * 1024)

/* A piece of output: bytes of ours, or memory that somebody else keeps. */
struct piece {
	struct piece *next;
	const uint8_t *p;
	size_t len;
	size_t sent;
	struct buf own;
	void (*done)(void *arg);
	void *arg;
};

struct stream {
	int fd;
	stream_fn *fn;
	void *arg;
	struct loop_io *io;
	struct loop_timer *timer;
	struct loop_defer flush;
	struct loop_defer tell; /* an event found outside of the loop's call */
	enum stream_event to_tell;
	struct loop_defer after; /* records that no socket event announces */
	struct buf in;
	size_t in_at; /* consumed bytes at the front of in */
	size_t in_max;
	struct buf out; /* small output not yet made a piece */
	struct piece *pieces;
	struct piece **tail;
	size_t queued; /* bytes in pieces not sent */
	uint64_t received;
	SSL *ssl;
	BIO *net_in;	   /* what came from the socket */
	BIO *net_out;	   /* what goes there */
	struct buf cipher; /* TLS records the socket did not take yet */
	size_t cipher_at;
	bool is_connecting;
	bool is_handshaking;
	bool is_paused;
	bool has_more;	   /* records not decrypted: the input was full */
	bool is_finishing; /* only output is left to send */
	bool is_held;	   /* the last output goes with the end */
	bool is_ended;	   /* by an error: nothing goes either way */
	bool is_eof;	   /* nothing more comes in */
	int error;
	unsigned long tls_error;
};

/* Tells the loop what the stream waits for now. */
void stream_update_want(struct stream *s);

/* Reports an event to the owner now, or after this turn's callbacks; an error
 * is reported once. The owner may free the stream in there. */
void stream_report(struct stream *s, enum stream_event ev);
void stream_tell_later(struct stream *s, enum stream_event ev);
void stream_fail(struct stream *s, int error);

/* Room at the end of the input; moves what is left to the front first. */
uint8_t *stream_input_room(struct stream *s, size_t n);

/* ---- stream_output.c ----------------------------------------------------- */

/* n bytes of the front pieces are sent. */
void stream_pieces_sent(struct stream *s, size_t n);

/* Sends what can be sent now; failures are reported by the loop later. */
void stream_pump(struct stream *s);

/* Frees all that was not sent. */
void stream_drop_output(struct stream *s);

/* ---- stream_tls.c -------------------------------------------------------- */

/* The socket is readable. */
void stream_pull_tls(struct stream *s);

/* Encrypts and sends pieces. 0, or -errno. */
int stream_push_tls(struct stream *s);

/* Bytes that came together with the end of the handshake, or before there was
 * room for them: the socket need not become readable again. */
void stream_decrypt_late(void *s);

#endif
