#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "crc32c.h"
#include "plog.h"
#include "plog_format.h"

/* Read with one call: mostly some batches of a journal, or a batch of mail
 * with its records. */
#define READ_AHEAD (32 * 1024)
/* Looked through at a time for the next batch behind damage. */
#define SCAN_BYTES (1024 * 1024)

/* Reads len bytes or to the end of the file. The number read or -errno. */
static ssize_t
read_at(int fd, void *dst, size_t len, uint64_t off)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(
		    fd, (uint8_t *)dst + got, len - got, (off_t)(off + got));

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -errno;
		}
		if (n == 0) {
			break;
		}
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int
plog_reader_init(struct plog_reader *r, int fd)
{
	struct plog_file_header h;
	ssize_t n = read_at(fd, &h, sizeof(h), 0);

	if (n < 0) {
		return (int)n;
	}
	if ((size_t)n < sizeof(h)) {
		return -ENODATA;
	}
	if (plog_file_header_check(&h) < 0) {
		return -EBADMSG;
	}
	*r = (struct plog_reader){
		.fd = fd, .segid = h.segid, .off = PLOG_FILE_HEADER
	};
	return 0;
}

int
plog_reader_init_blind(struct plog_reader *r, int fd, uint64_t segid)
{
	struct plog_reader probe = {
		.fd = fd, .segid = segid, .off = PLOG_FILE_HEADER - PLOG_ALIGN
	};

	/* the place behind the header is the first that is looked at */
	if (plog_reader_skip(&probe) == 0) {
		return -ENODATA;
	}
	*r = (struct plog_reader){
		.fd = fd, .segid = segid, .off = PLOG_FILE_HEADER
	};
	return 0;
}

void
plog_reader_fini(struct plog_reader *r)
{
	buf_fini(&r->buf);
}

void
plog_reader_seek(struct plog_reader *r, uint64_t off, uint32_t index)
{
	r->off = off;
	r->index = index;
	r->left = 0;
}

/*
 * Is there, from the offset on, a batch that says that bytes behind off were
 * durable before it? Then what is wrong at off is damage, not a torn tail.
 */
static bool
is_acknowledged(struct plog_reader *r, uint64_t off)
{
	struct plog_reader probe = {
		.fd = r->fd, .segid = r->segid, .off = off
	};
	bool found = false;

	while (!found && plog_reader_skip(&probe) != 0) {
		struct plog_batch_header h;

		if (read_at(r->fd, &h, sizeof(h), probe.off) !=
			(ssize_t)sizeof(h) ||
		    plog_batch_header_check(&h, r->segid, probe.off) < 0) {
			break;
		}
		found = h.committed > off;
	}
	plog_reader_fini(&probe);
	return found;
}

static int
damaged(struct plog_reader *r)
{
	return is_acknowledged(r, r->off) ? -EUCLEAN : -EBADMSG;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0) {
			return false;
		}
	}
	return true;
}

/*
 * Makes the bytes from r->off on stand in the window: n of them, or what there
 * is. What was read before serves again unless anew is asked for. Returns their
 * number or -errno.
 */
static ssize_t
fill_window(struct plog_reader *r, size_t n, uint64_t limit, bool anew)
{
	uint64_t room = limit - r->off;
	size_t ahead = room < READ_AHEAD ? (size_t)room : READ_AHEAD;
	uint64_t in = r->off - r->window_off;
	ssize_t got;

	if (!anew && r->off >= r->window_off && in <= r->buf.len &&
	    n <= r->buf.len - in) {
		r->base = (uint32_t)in;
		return (ssize_t)(r->buf.len - in);
	}
	ahead = ahead > n ? ahead : n;
	r->buf.len = 0;
	r->base = 0;
	r->window_off = r->off;
	got = read_at(r->fd, buf_reserve(&r->buf, ahead), ahead, r->off);
	r->buf.len = got > 0 ? (size_t)got : 0;
	return got;
}

/* Header and records into the window: 1; 0 at the end; -EBADMSG: what is there
 * is no batch; -errno. */
static int
load(struct plog_reader *r, struct plog_batch_header *h, uint64_t limit,
    bool anew)
{
	ssize_t n = fill_window(r, sizeof(*h), limit, anew);
	size_t need;

	if (n <= 0) {
		return (int)n;
	}
	if ((size_t)n < sizeof(*h)) {
		return -EBADMSG;
	}
	memcpy(h, r->buf.p + r->base, sizeof(*h));
	if (plog_batch_header_check(h, r->segid, r->off) < 0) {
		return -EBADMSG;
	}
	need = sizeof(*h) + h->rec_len;
	if ((size_t)n < need) {
		n = fill_window(r, need, limit, true);
	}
	if (n < 0) {
		return (int)n;
	}
	if ((size_t)n < need ||
	    crc32c(plog_seed(r->segid), r->buf.p + r->base + sizeof(*h),
		h->rec_len) != h->rec_crc) {
		return -EBADMSG;
	}
	return 1;
}

/* There is no batch: how bad is that? */
static int
judge(struct plog_reader *r)
{
	int e = damaged(r);

	/* a file that was extended but not written ends in zeros */
	return e == -EBADMSG &&
		all_zero(r->buf.p + r->base, r->buf.len - r->base)
	    ? 0
	    : e;
}

int
plog_reader_batch(struct plog_reader *r, uint64_t limit)
{
	struct plog_batch_header h;
	int e;

	r->left = 0;
	if (r->off >= limit) {
		return 0;
	}
	e = load(r, &h, limit, false);
	if (e == -EBADMSG || e == 0) {
		/* It may have been written since it was read ahead. */
		e = load(r, &h, limit, true);
	}
	if (e != 1) {
		return e == -EBADMSG ? judge(r) : e;
	}
	r->batch_off = r->off;
	r->batch_end = r->off + h.total;
	r->batch_time_us = h.time_us;
	r->committed = h.committed;
	r->index = h.first;
	r->at = sizeof(h);
	r->left = h.rec_len;
	r->off += h.total;
	return 1;
}

uint64_t
plog_reader_skip(struct plog_reader *r)
{
	struct buf window = { 0 };
	uint64_t at = r->off + PLOG_ALIGN, from = r->off, skipped = 0;
	uint8_t *p = buf_reserve(&window, SCAN_BYTES);

	while (skipped == 0) {
		ssize_t n = read_at(r->fd, p, SCAN_BYTES, at);

		if (n < PLOG_BATCH_HEADER) {
			break;
		}
		for (size_t i = 0; i + PLOG_BATCH_HEADER <= (size_t)n;
		     i += PLOG_ALIGN) {
			struct plog_batch_header h;

			memcpy(&h, p + i, sizeof(h));
			if (h.magic == PLOG_BATCH_MAGIC &&
			    plog_batch_header_check(&h, r->segid, at + i) ==
				0) {
				skipped = at + i - from;
				break;
			}
		}
		at += SCAN_BYTES;
	}
	buf_fini(&window);
	r->off += skipped;
	r->left = 0;
	return skipped;
}

struct str
plog_reader_records(const struct plog_reader *r)
{
	return (
	    struct str){ (const char *)r->buf.p + r->base + r->at, r->left };
}

bool
plog_reader_record(struct plog_reader *r, struct plog_record *out)
{
	struct plog_record_header h;
	uint64_t padded;

	if (r->left < sizeof(h)) {
		return false;
	}
	memcpy(&h, r->buf.p + r->base + r->at, sizeof(h));
	padded = sizeof(h) + plog_pad(h.len, 8);
	if (padded > r->left) {
		return false; /* cannot be: the block's checksum agreed */
	}
	*out = (struct plog_record){
		.type = h.type,
		.off = r->batch_off + r->at,
		.rec = { (const char *)r->buf.p + r->base + r->at + sizeof(h),
		    h.len },
		.content_off = h.content_len != 0
		    ? r->batch_off + r->at + r->left + h.content_off
		    : 0,
		.content_len = h.content_len,
		.content_crc = h.content_crc,
		.index = r->index++,
	};
	r->at += (uint32_t)padded;
	r->left -= (uint32_t)padded;
	return true;
}

int
plog_read_record(int fd, uint64_t segid, uint64_t off, struct buf *buf,
    struct plog_record *out)
{
	struct plog_record_header h;
	ssize_t n;

	buf->len = 0;
	n = read_at(fd, buf_reserve(buf, 2048), 2048, off);
	if (n < 0) {
		return (int)n;
	}
	if ((size_t)n < sizeof(h)) {
		return -EBADMSG;
	}
	memcpy(&h, buf->p, sizeof(h));
	if (h.len > PLOG_TOTAL_MAX || h.zero != 0) {
		return -EBADMSG;
	}
	if ((size_t)n < sizeof(h) + h.len) {
		size_t missing = sizeof(h) + h.len - (size_t)n;

		buf->len = (size_t)n;
		n = read_at(
		    fd, buf_reserve(buf, missing), missing, off + buf->len);
		if (n < 0) {
			return (int)n;
		}
		if ((size_t)n < missing) {
			return -EBADMSG;
		}
	}
	buf->len = sizeof(h) + h.len;
	if (plog_crc(segid, buf->p + sizeof(h), h.len) != h.crc) {
		return -EBADMSG;
	}
	*out = (struct plog_record){ .type = h.type,
		.off = off,
		.rec = { (const char *)buf->p + sizeof(h), h.len },
		.content_len = h.content_len,
		.content_crc = h.content_crc };
	return 0;
}

int
plog_read_content(
    int fd, uint64_t segid, uint64_t off, void *dst, uint32_t len, uint32_t crc)
{
	ssize_t n = read_at(fd, dst, len, off);

	if (n < 0) {
		return (int)n;
	}
	if ((size_t)n < len) {
		return -ENODATA;
	}
	return plog_crc(segid, dst, len) == crc ? 0 : -EBADMSG;
}
