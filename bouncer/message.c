#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bouncer.h"
#include "data_scan.h"
#include "passed_files.h"
#include "plog.h"

static int
read_record(const struct message_place *p, struct message *m)
{
	struct plog_record r;
	int fd = passed_files_get(p->segid, false);
	int e;

	if (fd < 0) {
		return -ENOENT;
	}
	e = plog_read_record(fd, p->segid, p->rec_off, &m->record, &r);
	if (e < 0) {
		return e;
	}
	if (r.type != EVENT_accepted ||
	    event_decode(r.type, r.rec.p, r.rec.len, &m->a) < 0 ||
	    !uuid_eq(&m->a.msgid, &p->msgid)) {
		return -EBADMSG;
	}
	return 0;
}

static int
read_segment(const struct message_place *p, struct message *m)
{
	uint8_t *to;
	int e;

	if (p->content_len == 0) {
		return 0;
	}
	to = buf_reserve(&m->content, p->content_len);
	e = plog_read_content(passed_files_get(p->segid, false), p->segid,
	    p->content_off, to, p->content_len, p->content_crc);
	if (e == 0) {
		m->content.len += p->content_len;
	}
	return e;
}

/* A checksum covers the whole file: a beginning cannot be verified. What a
 * report says in damaged bytes is a fact less, never a wrong one that counts:
 * its token was checked when it came. */
static int
read_beginning(int fd, size_t n, struct buf *out)
{
	uint8_t *to = buf_reserve(out, n);
	size_t at = 0;

	while (at < n) {
		ssize_t got = pread(fd, to + at, n - at, (off_t)at);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got < 0 ? -errno : -ENODATA;
		}
		at += (size_t)got;
	}
	out->len += n;
	return 0;
}

static int
read_big(size_t want, struct message *m)
{
	size_t have = m->content.len;
	size_t n = want > have ? want - have : 0;
	int fd = passed_files_get(m->a.big_file, true);
	int e;

	if (fd < 0) {
		return -ENOENT;
	}
	if (n < m->a.big_len) {
		m->is_whole = false;
		return n > 0 ? read_beginning(fd, n, &m->content) : 0;
	}
	e = plog_read_content(fd, 0, 0, buf_reserve(&m->content, m->a.big_len),
	    m->a.big_len, m->a.big_crc);
	if (e == 0) {
		m->content.len += m->a.big_len;
	}
	return e;
}

int
message_load(
    const struct message_place *p, size_t want, size_t max, struct message *out)
{
	uint64_t size;
	int e;

	memset(out, 0, sizeof(*out));
	out->is_whole = true;
	e = read_record(p, out);
	size = p->content_len;
	if (e == 0 && out->a.big_file != 0 && want == SIZE_MAX) {
		size += out->a.big_len;
	}
	if (e == 0 && size > max) {
		e = -EFBIG;
	}
	if (e == 0) {
		e = read_segment(p, out);
	}
	if (e == 0 && out->a.big_file != 0 && out->a.big_len > 0) {
		e = read_big(want, out);
	}
	if (e < 0) {
		message_fini(out);
	}
	return e;
}

void
message_fini(struct message *m)
{
	buf_fini(&m->record);
	buf_fini(&m->content);
	memset(&m->a, 0, sizeof(m->a));
}

void
message_unstuff(struct message *m)
{
	struct data_stuff st = { 0 };
	char *p = (char *)m->content.p;

	if (m->content.len > 0 && (m->a.flags & MESSAGE_NODOTS) == 0) {
		m->content.len = data_unstuff(&st, p, m->content.len, p);
	}
}
