/* TLS over a stream: records go through memory, see stream.h. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "stream_impl.h"

#define ENCRYPT_BYTES (16 * 1024) /* a TLS record's content */
#define CIPHER_AHEAD (128 * 1024)

/* Decrypts what there is. Returns whether input grew; -1 after a failure. */
static int
decrypt(struct stream *s)
{
	int grew = 0;

	for (;;) {
		uint8_t *p = stream_input_room(s, READ_SIZE);
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
			s->is_eof = true;
			return grew;
		}
		s->tls_error = ERR_get_error();
		s->error = -EPROTO;
		return -1;
	}
}

/* Bytes that arrived together with the end of the handshake, or before there
 * was room for them: the socket need not become readable again. */
void
stream_decrypt_late(void *arg)
{
	struct stream *s = arg;
	bool is_end;
	int r;

	ERR_clear_error();
	s->has_more = false;
	r = decrypt(s);
	stream_pump(s); /* answers of the protocol itself */
	stream_update_want(s);
	is_end = s->is_eof && !s->has_more;
	if (r < 0) {
		stream_report(s, STREAM_ERROR);
	} else if (r > 0) {
		if (is_end) {
			stream_tell_later(s, STREAM_EOF);
		}
		s->fn(s->arg, STREAM_READABLE);
	} else if (is_end) {
		s->fn(s->arg, STREAM_EOF);
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
		if (BIO_pending(s->net_in) != 0 || s->is_eof) {
			loop_defer(&s->after, stream_decrypt_late, s);
		}
		stream_update_want(s);
		s->fn(s->arg, STREAM_TLS_DONE);
		return;
	}
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
		s->tls_error = ERR_get_error();
		stream_fail(s, -EPROTO);
	} else if (s->is_eof) {
		s->tls_error = 0;
		stream_fail(s, -ECONNRESET);
	}
}

void
stream_pull_tls(struct stream *s)
{
	uint8_t data[READ_SIZE];
	ssize_t n = recv(s->fd, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n < 0) {
		stream_fail(s, -errno);
		return;
	}
	if (n == 0) {
		s->is_eof = true;
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
	loop_defer_cancel(&s->after); /* this takes what is left, too */
	stream_decrypt_late(s);
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

/* close_notify stands behind all output (RFC 8446 section 6.1). */
static void
say_goodbye(struct stream *s)
{
	if (s->is_finishing && !s->is_handshaking && s->pieces == NULL &&
	    (SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN) == 0) {
		(void)SSL_shutdown(s->ssl);
	}
}

int
stream_push_tls(struct stream *s)
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
			stream_pieces_sent(s, n);
		}
		say_goodbye(s);
		r = push_cipher(s);
		if (r <= 0 || s->is_handshaking || s->pieces == NULL) {
			return r < 0 ? r : 0;
		}
	}
}

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
	stream_update_want(s);
}

SSL *
stream_ssl(const struct stream *s)
{
	return s->ssl;
}
