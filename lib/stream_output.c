/* The output of a stream: pieces, and their way to the socket. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "stream_impl.h"

#define IOV_MAX_COUNT 64

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
stream_drop_output(struct stream *s)
{
	while (s->pieces != NULL) {
		struct piece *k = s->pieces;

		s->pieces = k->next;
		piece_free(k);
	}
	buf_fini(&s->out);
}

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

void
stream_hold(struct stream *s)
{
	s->is_held = true;
}

size_t
stream_output(const struct stream *s)
{
	return s->out.len + s->queued + (s->cipher.len - s->cipher_at);
}

/* n bytes of the front pieces are sent. */
void
stream_pieces_sent(struct stream *s, size_t n)
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
		n = sendmsg(
		    s->fd, &m, MSG_NOSIGNAL | (s->is_held ? MSG_MORE : 0));
		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		}
		stream_pieces_sent(s, (size_t)n);
	}
	return 0;
}

/* Sends what can be sent now; failures are reported by the loop later. */
void
stream_pump(struct stream *s)
{
	int r;

	if (s->is_connecting || s->is_ended) {
		return;
	}
	r = s->ssl != NULL ? stream_push_tls(s) : push_plain(s);
	if (r < 0) {
		s->error = r;
		stream_tell_later(s, STREAM_ERROR);
	}
	stream_update_want(s);
}

void
stream_flush(struct stream *s)
{
	close_out(s);
	stream_pump(s);
}
