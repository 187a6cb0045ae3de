#include "content.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "crc32c.h"
#include "job.h"
#include "loop.h"
#include "passed_files.h"
#include "plog.h"

/* Up to here the content is kept in memory between reading and sending. */
#define WHOLE_MAX (128 * 1024)
#define PIECE (64 * 1024)
/* Bytes handed to a stream at a time. */
#define AHEAD (4 * PIECE)
/* Bytes verified in one turn of the loop: about a tenth of a millisecond. */
#define VERIFY_PER_TURN (1024 * 1024)

/* Where a run of bytes lies: the segment, then perhaps the big file. */
struct part {
	uint64_t number;
	bool is_big;
	uint64_t off;
	uint32_t len;
	uint32_t crc;
};

/* How far the parts were read, to verify or to send. */
struct cursor {
	unsigned part;
	uint32_t at;  /* in the part */
	uint32_t crc; /* of the part's bytes so far */
	bool is_begun;
};

struct content {
	struct part parts[2];
	unsigned n_parts;
	struct cursor cursor;
	uint64_t sent;
	uint8_t *whole;		  /* NULL: read in pieces */
	unsigned refs;		  /* streams with whole, and the owner */
	char tail[2];		  /* the last two bytes handed out */
	struct loop_timer *timer; /* verifies, then resumes */
	bool is_verified;
	content_fn *fn;
	void *arg;
};

static void
content_unref(void *arg)
{
	struct content *c = arg;

	if (--c->refs == 0) {
		loop_timer_free(&c->timer);
		free(c->whole);
		free(c);
	}
}

static int
read_at(const struct part *p, uint32_t at, uint8_t *dst, size_t n)
{
	int fd = passed_files_get(p->number, p->is_big);
	size_t got = 0;

	if (fd < 0) {
		return -ENOENT;
	}
	while (got < n) {
		ssize_t r =
		    pread(fd, dst + got, n - got, (off_t)(p->off + at + got));

		if (r < 0 && errno != EINTR) {
			return -errno;
		}
		if (r == 0) {
			return -ENODATA;
		}
		got += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

/*
 * Reads the next bytes, at most n, and keeps the checksum. *got 0: the end.
 * -EBADMSG at the end of a part whose checksum does not agree.
 */
static int
cursor_read(struct content *c, uint8_t *dst, size_t n, size_t *got)
{
	struct cursor *k = &c->cursor;
	const struct part *p = &c->parts[k->part];
	int r;

	*got = 0;
	if (k->part == c->n_parts) {
		return 0;
	}
	if (!k->is_begun) {
		/* A big file's checksum does not depend on its number. */
		k->crc = plog_crc(p->is_big ? 0 : p->number, "", 0);
		k->is_begun = true;
	}
	if (n > p->len - k->at) {
		n = p->len - k->at;
	}
	r = read_at(p, k->at, dst, n);
	if (r < 0) {
		return r;
	}
	k->crc = crc32c(k->crc, dst, n);
	k->at += (uint32_t)n;
	*got = n;
	if (k->at == p->len) {
		if (k->crc != p->crc) {
			return -EBADMSG;
		}
		*k = (struct cursor){ .part = k->part + 1 };
	}
	return 0;
}

static void
verify_some(struct content *c)
{
	uint8_t *piece = mem_resize(NULL, PIECE);
	size_t done = 0;
	size_t got;
	int r;

	do {
		r = cursor_read(c, piece, PIECE, &got);
		done += got;
	} while (
	    r == 0 && c->cursor.part < c->n_parts && done < VERIFY_PER_TURN);
	free(piece);
	if (r == 0 && c->cursor.part < c->n_parts) {
		loop_timer_arm(c->timer, 0);
		return;
	}
	c->cursor = (struct cursor){ 0 };
	c->is_verified = true;
	c->fn(c->arg, r);
}

static void
on_timer(void *arg)
{
	struct content *c = arg;

	if (c->is_verified) {
		c->fn(c->arg, 0);
	} else {
		verify_some(c);
	}
}

void
content_resume(struct content *c)
{
	if (c->timer == NULL) {
		c->timer = loop_timer_new(on_timer, c);
	}
	loop_timer_arm(c->timer, 0);
}

static void
set_parts(struct content *c, const struct job *j)
{
	if (j->content_len > 0) {
		c->parts[c->n_parts++] = (struct part){ j->segid, false,
			j->content_off, j->content_len, j->content_crc };
	}
	if (j->big_len > 0) {
		c->parts[c->n_parts++] = (struct part){ j->big_file, true, 0,
			j->big_len, j->big_crc };
	}
}

static int
read_whole(struct content *c)
{
	const struct part *p = &c->parts[0];
	int fd = passed_files_get(p->number, false);

	if (fd < 0) {
		return -ENOENT;
	}
	c->whole = mem_resize(NULL, p->len);
	return plog_read_content(
	    fd, p->number, p->off, c->whole, p->len, p->crc);
}

int
content_open(
    const struct job *j, content_fn *fn, void *arg, struct content **out)
{
	struct content *c = mem_alloc(sizeof(*c));
	int r = 0;

	c->refs = 1;
	c->fn = fn;
	c->arg = arg;
	set_parts(c, j);
	if (c->n_parts == 1 && !c->parts[0].is_big &&
	    c->parts[0].len <= WHOLE_MAX) {
		r = read_whole(c);
	} else if (c->n_parts > 0) {
		content_resume(c);
		r = -EINPROGRESS;
	}
	if (r < 0 && r != -EINPROGRESS) {
		content_close(&c);
		return r;
	}
	c->is_verified = r == 0;
	*out = c;
	return r;
}

static void
keep_tail(struct content *c, const uint8_t *p, size_t n)
{
	if (n >= 2) {
		c->tail[0] = (char)p[n - 2];
		c->tail[1] = (char)p[n - 1];
	} else if (n == 1) {
		c->tail[0] = c->tail[1];
		c->tail[1] = (char)p[0];
	}
	c->sent += n;
}

/* The dot must stand on a line of its own whatever the spool says. */
static int
send_dot(struct content *c, struct stream *s)
{
	if (c->sent > 0 && (c->tail[0] != '\r' || c->tail[1] != '\n')) {
		stream_write(s, "\r\n", 2);
	}
	stream_write(s, ".\r\n", 3);
	return 1;
}

int
content_send(struct content *c, struct stream *s)
{
	if (c->whole != NULL) {
		c->refs++;
		keep_tail(c, c->whole, c->parts[0].len);
		stream_write_ref(
		    s, c->whole, c->parts[0].len, content_unref, c);
		return send_dot(c, s);
	}
	while (c->cursor.part < c->n_parts && stream_output(s) < AHEAD) {
		uint8_t *piece = mem_resize(NULL, PIECE);
		size_t got;
		int r = cursor_read(c, piece, PIECE, &got);

		if (r < 0) {
			free(piece);
			return r;
		}
		keep_tail(c, piece, got);
		stream_write_ref(s, piece, got, free, piece);
	}
	return c->cursor.part == c->n_parts ? send_dot(c, s) : 0;
}

uint64_t
content_sent(const struct content *c)
{
	return c->sent;
}

void
content_close(struct content **cp)
{
	struct content *c = *cp;

	if (c == NULL) {
		return;
	}
	*cp = NULL;
	loop_timer_free(&c->timer);
	content_unref(c);
}
