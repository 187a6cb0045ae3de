#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "clock.h"
#include "loop.h"

#define INPUT_MAX (64 * 1024)
#define READ_SIZE (16 * 1024)
#define IOV_MAX_COUNT 64

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
	bool is_ended;	   /* an end was reported */
	bool eof;
	int error;
	unsigned long tls_error;
};

static void on_io(void *arg, unsigned ready);
static void stream_pump(struct stream *s);
static void decrypt_late(void *arg);
static void tell_late(void *arg);

/* ---- life --------------------------------------------------------------- */

static void
update_want(struct stream *s)
{
	unsigned want = 0;

	if (s->is_ended) {
		loop_io_want(s->io, 0);
		return;
	}
	if (s->is_connecting) {
		want = LOOP_WRITE;
	} else {
		bool is_full = s->in.len - s->in_at >= s->in_max;

		if ((!s->is_paused && !is_full && !s->is_finishing) ||
		    s->is_handshaking) {
			want |= LOOP_READ;
		}
		if (s->queued != 0 || s->cipher.len != 0) {
			want |= LOOP_WRITE;
		}
	}
	loop_io_want(s->io, want);
}

static void
on_timeout(void *arg)
{
	struct stream *s = arg;

	if (s->is_finishing) {
		stream_free(&s);
		return;
	}
	s->fn(s->arg, STREAM_TIMEOUT);
}

static struct stream *
stream_make(int fd, stream_fn *fn, void *arg)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	s->in_max = INPUT_MAX;
	s->tail = &s->pieces;
	s->io = loop_io_new(fd, 0, on_io, s);
	s->timer = loop_timer_new(on_timeout, s);
	return s;
}

struct stream *
stream_new(int fd, stream_fn *fn, void *arg)
{
	struct stream *s = stream_make(fd, fn, arg);

	update_want(s);
	return s;
}

static void
tell_later(struct stream *s, enum stream_event ev)
{
	s->to_tell = ev;
	s->is_ended = s->is_ended || ev == STREAM_ERROR;
	loop_defer(&s->tell, tell_late, s);
}

struct stream *
stream_connect(int fd, const struct sockaddr *to, unsigned to_len,
    stream_fn *fn, void *arg)
{
	struct stream *s = stream_make(fd, fn, arg);
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->is_connecting = true;
	if (connect(fd, to, to_len) < 0 && errno != EINPROGRESS) {
		s->error = -errno;
		tell_later(s, STREAM_ERROR);
	}
	update_want(s);
	return s;
}

static void
piece_free(struct piece *k)
{
	if (k->done != NULL) {
		k->done(k->arg);
	}
	buf_fini(&k->own);
	free(k);
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	loop_io_free(&s->io);
	loop_timer_free(&s->timer);
	loop_defer_cancel(&s->flush);
	loop_defer_cancel(&s->tell);
	loop_defer_cancel(&s->after);
	while (s->pieces != NULL) {
		struct piece *k = s->pieces;

		s->pieces = k->next;
		piece_free(k);
	}
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->cipher);
	SSL_free(s->ssl); /* its BIOs too */
	(void)close(s->fd);
	free(s);
}

static void
ignore_event(void *arg, enum stream_event ev)
{
	(void)arg;
	(void)ev;
}

void
stream_finish(struct stream **sp, uint64_t linger_us)
{
	struct stream *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	s->fn = ignore_event;
	if (s->ssl != NULL && !s->is_handshaking && !s->is_ended) {
		stream_flush(s);
		(void)SSL_shutdown(s->ssl);
	}
	s->is_finishing = true;
	stream_flush(s);
	if (s->is_ended || s->is_connecting ||
	    (s->queued == 0 && s->cipher.len == 0)) {
		stream_free(&s);
		return;
	}
	loop_timer_arm(s->timer, linger_us);
}

/* ---- reports ------------------------------------------------------------ */

static void
report(struct stream *s, enum stream_event ev)
{
	if (ev == STREAM_EOF || ev == STREAM_ERROR) {
		if (s->is_ended) {
			return;
		}
		s->is_ended = true;
		update_want(s);
		if (s->is_finishing) {
			stream_free(&s);
			return;
		}
	}
	s->fn(s->arg, ev);
}

static void
fail(struct stream *s, int error)
{
	s->error = error;
	report(s, STREAM_ERROR);
}

static void
tell_late(void *arg)
{
	struct stream *s = arg;

	if (s->to_tell == STREAM_EOF) {
		report(s, STREAM_EOF);
	} else if (s->to_tell == STREAM_ERROR && s->is_finishing) {
		stream_free(&s);
	} else {
		s->fn(s->arg, s->to_tell);
	}
}

int
stream_error(const struct stream *s)
{
	return s->error;
}

const char *
stream_error_text(struct stream *s)
{
	if (s->tls_error != 0) {
		const char *text = ERR_reason_error_string(s->tls_error);

		return text != NULL ? text : "TLS protocol error";
	}
	return s->error != 0 ? strerror(-s->error) : "connection closed";
}

/* ---- input -------------------------------------------------------------- */

struct str
stream_input(struct stream *s)
{
	return (struct str){ (const char *)s->in.p + s->in_at,
		s->in.len - s->in_at };
}

void
stream_consume(struct stream *s, size_t n)
{
	bug_on(n > s->in.len - s->in_at);
	s->in_at += n;
	if (s->in_at == s->in.len) {
		s->in.len = 0;
		s->in_at = 0;
	}
	if (s->has_more && s->in.len - s->in_at < s->in_max) {
		s->has_more = false;
		loop_defer(&s->after, decrypt_late, s);
	}
	update_want(s);
}

void
stream_set_input_max(struct stream *s, size_t bytes)
{
	s->in_max = bytes;
	update_want(s);
}

void
stream_pause(struct stream *s, bool is_paused)
{
	s->is_paused = is_paused;
	update_want(s);
}

/* Room at the end of the input; moves what is left to the front first. */
static uint8_t *
input_room(struct stream *s, size_t n)
{
	if (s->in_at != 0) {
		buf_drop(&s->in, s->in_at);
		s->in_at = 0;
	}
	return buf_reserve(&s->in, n);
}

/* Decrypts what there is. Returns whether input grew; -1 after a failure. */
static int
decrypt(struct stream *s)
{
	int grew = 0;

	for (;;) {
		uint8_t *p = input_room(s, READ_SIZE);
		int n = SSL_read(s->ssl, p, READ_SIZE);
		int e;

		if (n > 0) {
			s->in.len += (size_t)n;
			grew = 1;
			if (s->in.len - s->in_at >= s->in_max) {
				s->has_more = true;
				return grew;
			}
			continue;
		}
		e = SSL_get_error(s->ssl, n);
		if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
			return grew;
		}
		if (e == SSL_ERROR_ZERO_RETURN) {
			s->eof = true;
			return grew;
		}
		s->tls_error = ERR_get_error();
		s->error = -EPROTO;
		return -1;
	}
}

static void
pull_plain(struct stream *s)
{
	uint8_t *p = input_room(s, READ_SIZE);
	ssize_t n = recv(s->fd, p, s->in.cap - s->in.len, 0);

	if (n > 0) {
		s->in.len += (size_t)n;
		s->received += (uint64_t)n;
		update_want(s);
		s->fn(s->arg, STREAM_READABLE);
	} else if (n == 0) {
		report(s, STREAM_EOF);
	} else if (errno != EAGAIN && errno != EINTR) {
		fail(s, -errno);
	}
}

static void
handshake(struct stream *s)
{
	int n, e;

	ERR_clear_error();
	n = SSL_do_handshake(s->ssl);
	e = SSL_get_error(s->ssl, n);
	stream_pump(s);
	if (n == 1) {
		s->is_handshaking = false;
		if (BIO_pending(s->net_in) != 0 || s->eof) {
			loop_defer(&s->after, decrypt_late, s);
		}
		update_want(s);
		s->fn(s->arg, STREAM_TLS_DONE);
		return;
	}
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
		s->tls_error = ERR_get_error();
		fail(s, -EPROTO);
	} else if (s->eof) {
		s->tls_error = 0;
		fail(s, -ECONNRESET);
	}
}

static void
pull_tls(struct stream *s)
{
	uint8_t data[READ_SIZE];
	ssize_t n = recv(s->fd, data, sizeof(data), 0);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n < 0) {
		fail(s, -errno);
		return;
	}
	if (n == 0) {
		s->eof = true;
	} else {
		s->received += (uint64_t)n;
		(void)BIO_write(s->net_in, data, (int)n);
	}
	if (s->is_handshaking) {
		/* The owner may free the stream in there; what came in the
		 * same packet waits for decrypt_late. */
		handshake(s);
		return;
	}
	ERR_clear_error();
	r = decrypt(s);
	stream_pump(s); /* answers of the protocol itself */
	update_want(s);
	if (r < 0) {
		report(s, STREAM_ERROR);
	} else if (r > 0 && s->eof) {
		tell_later(s, STREAM_EOF);
		s->fn(s->arg, STREAM_READABLE);
	} else if (r > 0) {
		s->fn(s->arg, STREAM_READABLE);
	} else if (s->eof) {
		report(s, STREAM_EOF);
	}
}

/* Bytes that arrived together with the end of the handshake, or before there
 * was room for them: the socket need not become readable again. */
static void
decrypt_late(void *arg)
{
	struct stream *s = arg;
	int r;

	ERR_clear_error();
	r = decrypt(s);
	update_want(s);
	if (r < 0) {
		report(s, STREAM_ERROR);
	} else if (r > 0) {
		if (s->eof) {
			tell_later(s, STREAM_EOF);
		}
		s->fn(s->arg, STREAM_READABLE);
	} else if (s->eof) {
		report(s, STREAM_EOF);
	}
}

/* ---- output ------------------------------------------------------------- */

static struct piece *
piece_add(struct stream *s)
{
	struct piece *k = mem_alloc(sizeof(*k));

	*s->tail = k;
	s->tail = &k->next;
	return k;
}

/* Makes collected small output a piece of its own. */
static void
close_out(struct stream *s)
{
	if (s->out.len != 0) {
		struct piece *k = piece_add(s);

		buf_move(&k->own, &s->out);
		k->p = k->own.p;
		k->len = k->own.len;
		s->queued += k->len;
	}
}

static void
flush_late(void *arg)
{
	stream_flush(arg);
}

void
stream_write(struct stream *s, const void *p, size_t n)
{
	buf_add(&s->out, p, n);
	loop_defer_late(&s->flush, flush_late, s);
}

void
stream_printf(struct stream *s, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	bug_on(n < 0 || (size_t)n >= sizeof(line));
	stream_write(s, line, (size_t)n);
}

void
stream_write_ref(struct stream *s, const void *p, size_t n,
    void (*done)(void *arg), void *arg)
{
	struct piece *k;

	close_out(s);
	k = piece_add(s);
	k->p = p;
	k->len = n;
	k->done = done;
	k->arg = arg;
	s->queued += n;
	loop_defer_late(&s->flush, flush_late, s);
}

size_t
stream_output(const struct stream *s)
{
	return s->out.len + s->queued + (s->cipher.len - s->cipher_at);
}

/* n bytes of the front pieces are sent. */
static void
pieces_sent(struct stream *s, size_t n)
{
	s->queued -= n;
	while (s->pieces != NULL) {
		struct piece *k = s->pieces;
		size_t left = k->len - k->sent;

		if (n < left) {
			k->sent += n;
			return;
		}
		n -= left;
		s->pieces = k->next;
		if (s->pieces == NULL) {
			s->tail = &s->pieces;
		}
		piece_free(k);
	}
}

static int
push_plain(struct stream *s)
{
	while (s->pieces != NULL) {
		struct iovec iov[IOV_MAX_COUNT];
		struct msghdr m = { .msg_iov = iov };
		ssize_t n;

		for (struct piece *k = s->pieces;
		     k != NULL && m.msg_iovlen < IOV_MAX_COUNT; k = k->next) {
			iov[m.msg_iovlen++] =
			    (struct iovec){ (void *)(uintptr_t)(k->p + k->sent),
				    k->len - k->sent };
		}
		n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		}
		pieces_sent(s, (size_t)n);
	}
	return 0;
}

/* Sends TLS records that are ready. 1: all; 0: the socket is full. */
static int
push_cipher(struct stream *s)
{
	for (;;) {
		char *p;
		long n;
		ssize_t sent;

		if (s->cipher.len == 0) {
			n = BIO_get_mem_data(s->net_out, &p);
			if (n <= 0) {
				return 1;
			}
			buf_add(&s->cipher, p, (size_t)n);
			(void)BIO_reset(s->net_out);
		}
		sent = send(s->fd, s->cipher.p + s->cipher_at,
		    s->cipher.len - s->cipher_at, MSG_NOSIGNAL);
		if (sent < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		}
		s->cipher_at += (size_t)sent;
		if (s->cipher_at == s->cipher.len) {
			buf_clear(&s->cipher, READ_SIZE);
			s->cipher_at = 0;
		}
	}
}

#define ENCRYPT_BYTES (16 * 1024) /* a TLS record's content */
#define CIPHER_AHEAD (128 * 1024)

static int
push_tls(struct stream *s)
{
	for (;;) {
		size_t made = 0;
		int r;

		while (!s->is_handshaking && s->pieces != NULL &&
		    made < CIPHER_AHEAD) {
			struct piece *k = s->pieces;
			size_t n = k->len - k->sent;

			n = n < ENCRYPT_BYTES ? n : ENCRYPT_BYTES;
			if (n != 0 &&
			    SSL_write(s->ssl, k->p + k->sent, (int)n) <= 0) {
				s->tls_error = ERR_get_error();
				return -EPROTO;
			}
			made += n;
			pieces_sent(s, n);
		}
		r = push_cipher(s);
		if (r <= 0 || s->is_handshaking || s->pieces == NULL) {
			return r < 0 ? r : 0;
		}
	}
}

/* Sends what can be sent now; failures are reported by the loop later. */
static void
stream_pump(struct stream *s)
{
	int r;

	if (s->is_connecting || s->is_ended) {
		return;
	}
	r = s->ssl != NULL ? push_tls(s) : push_plain(s);
	if (r < 0) {
		s->error = r;
		tell_later(s, STREAM_ERROR);
	}
	update_want(s);
}

void
stream_flush(struct stream *s)
{
	close_out(s);
	stream_pump(s);
}

/* ---- the loop's calls --------------------------------------------------- */

static void
connected(struct stream *s)
{
	int e = 0;
	socklen_t len = sizeof(e);

	(void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &len);
	s->is_connecting = false;
	if (e != 0) {
		fail(s, -e);
		return;
	}
	update_want(s);
	s->fn(s->arg, STREAM_CONNECTED);
}

static void
on_io(void *arg, unsigned ready)
{
	struct stream *s = arg;

	if (s->is_connecting) {
		connected(s);
		return;
	}
	if ((ready & LOOP_WRITE) != 0) {
		bool had_output = s->queued != 0 || s->cipher.len != 0;

		stream_pump(s);
		if (had_output && s->queued == 0 && s->cipher.len == 0) {
			if (s->is_finishing) {
				stream_free(&s);
				return;
			}
			if ((ready & LOOP_READ) == 0) {
				s->fn(s->arg, STREAM_DRAINED);
				return;
			}
			tell_later(s, STREAM_DRAINED);
		}
	}
	if ((ready & LOOP_READ) != 0 && !s->is_ended) {
		if (s->ssl != NULL) {
			pull_tls(s);
		} else {
			pull_plain(s);
		}
	}
}

void
stream_deadline(struct stream *s, uint64_t in_us)
{
	if (in_us == 0) {
		loop_timer_stop(s->timer);
	} else {
		loop_timer_arm(s->timer, in_us);
	}
}

/* ---- TLS ---------------------------------------------------------------- */

void
stream_start_tls(struct stream *s, SSL *ssl, bool server)
{
	stream_flush(s); /* the reply to STARTTLS goes in clear */
	s->ssl = ssl;
	s->net_in = BIO_new(BIO_s_mem());
	s->net_out = BIO_new(BIO_s_mem());
	bug_on(s->net_in == NULL || s->net_out == NULL);
	(void)BIO_set_mem_eof_return(s->net_in, -1);
	SSL_set_bio(ssl, s->net_in, s->net_out);
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	s->is_handshaking = true;
	if (server) {
		SSL_set_accept_state(ssl);
	} else {
		SSL_set_connect_state(ssl);
		ERR_clear_error();
		(void)SSL_do_handshake(ssl); /* the first flight */
		stream_pump(s);
	}
	update_want(s);
}

SSL *
stream_ssl(const struct stream *s)
{
	return s->ssl;
}

/* ---- names -------------------------------------------------------------- */

void
stream_print_address(const struct sockaddr_storage *a, char *ip, uint16_t *port)
{
	*port = 0;
	str_copy(ip, 46, STR("unknown"));
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a;

		(void)inet_ntop(AF_INET, &in->sin_addr, ip, 46);
		*port = ntohs(in->sin_port);
	} else if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			(void)inet_ntop(
			    AF_INET, in6->sin6_addr.s6_addr + 12, ip, 46);
		} else {
			(void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, 46);
		}
		*port = ntohs(in6->sin6_port);
	}
}

void
stream_peer_name(const struct stream *s, char *ip, uint16_t *port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	(void)getpeername(s->fd, (struct sockaddr *)&a, &len);
	stream_print_address(&a, ip, port);
}

void
stream_own_name(const struct stream *s, char *ip, uint16_t *port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	(void)getsockname(s->fd, (struct sockaddr *)&a, &len);
	stream_print_address(&a, ip, port);
}

uint64_t
stream_bytes_in(const struct stream *s)
{
	return s->received;
}
