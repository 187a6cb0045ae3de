#include "stream_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "loop.h"

#define INPUT_MAX (64 * 1024)

static void on_io(void *arg, unsigned ready);
static void tell_late(void *arg);

/* ---- life --------------------------------------------------------------- */

void
stream_update_want(struct stream *s)
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

		if (!s->is_eof &&
		    ((!s->is_paused && !is_full && !s->is_finishing) ||
			s->is_handshaking)) {
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

	stream_update_want(s);
	return s;
}

void
stream_tell_later(struct stream *s, enum stream_event ev)
{
	if (s->is_ended) {
		return; /* that is told, or will be */
	}
	s->to_tell = ev;
	s->is_ended = ev == STREAM_ERROR;
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
		stream_tell_later(s, STREAM_ERROR);
	}
	stream_update_want(s);
	return s;
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
	stream_drop_output(s);
	buf_fini(&s->in);
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

void
stream_report(struct stream *s, enum stream_event ev)
{
	if (ev == STREAM_ERROR) {
		if (s->is_ended) {
			return;
		}
		s->is_ended = true;
		stream_update_want(s);
		if (s->is_finishing) {
			stream_free(&s);
			return;
		}
	}
	s->fn(s->arg, ev);
}

void
stream_fail(struct stream *s, int error)
{
	s->error = error;
	stream_report(s, STREAM_ERROR);
}

static void
tell_late(void *arg)
{
	struct stream *s = arg;

	if (s->to_tell == STREAM_ERROR && s->is_finishing) {
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
		loop_defer(&s->after, stream_decrypt_late, s);
	}
	stream_update_want(s);
}

void
stream_set_input_max(struct stream *s, size_t bytes)
{
	s->in_max = bytes;
	stream_update_want(s);
}

void
stream_pause(struct stream *s, bool is_paused)
{
	s->is_paused = is_paused;
	stream_update_want(s);
}

/* Room at the end of the input; moves what is left to the front first. */
uint8_t *
stream_input_room(struct stream *s, size_t n)
{
	if (s->in_at != 0) {
		buf_drop(&s->in, s->in_at);
		s->in_at = 0;
	}
	return buf_reserve(&s->in, n);
}

static void
pull_plain(struct stream *s)
{
	uint8_t *p = stream_input_room(s, READ_SIZE);
	ssize_t n = recv(s->fd, p, s->in.cap - s->in.len, 0);

	if (n > 0) {
		s->in.len += (size_t)n;
		s->received += (uint64_t)n;
		stream_update_want(s);
		s->fn(s->arg, STREAM_READABLE);
	} else if (n == 0) {
		s->is_eof = true;
		stream_update_want(s);
		s->fn(s->arg, STREAM_EOF);
	} else if (errno != EAGAIN && errno != EINTR) {
		stream_fail(s, -errno);
	}
}

uint64_t
stream_bytes_in(const struct stream *s)
{
	return s->received;
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
		stream_fail(s, -e);
		return;
	}
	stream_update_want(s);
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
			stream_tell_later(s, STREAM_DRAINED);
		}
	}
	if ((ready & LOOP_READ) != 0 && !s->is_ended) {
		if (s->ssl != NULL) {
			stream_pull_tls(s);
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
