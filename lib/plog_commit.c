#include "plog_commit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "plog_format.h"

#define IOV_PER_WRITE 512

/* Writes all of iov at off (both are used up). 0 or -errno. */
static int
write_all(int fd, struct iovec *iov, size_t n, uint64_t off)
{
	while (n != 0) {
		int count = n < IOV_PER_WRITE ? (int)n : IOV_PER_WRITE;
		ssize_t done = pwritev(fd, iov, count, (off_t)off);

		if (done < 0 && errno == EINTR) {
			continue;
		}
		if (done <= 0) {
			return done < 0 ? -errno : -EIO;
		}
		off += (uint64_t)done;
		while (n != 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n != 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/* Fills in the checksums that only the final place makes possible. */
static void
seal_records(struct plog_batch *b)
{
	struct iovec *iov = (struct iovec *)(void *)b->iov.p;
	size_t at = 0, piece = 0;

	while (at < b->recs.len) {
		struct plog_record_header h;
		uint32_t left;

		memcpy(&h, b->recs.p + at, sizeof(h));
		h.crc =
		    plog_crc(b->file->segid, b->recs.p + at + sizeof(h), h.len);
		/* a checksum continues from piece to piece: seed is the crc */
		h.content_crc = plog_seed(b->file->segid);
		for (left = h.content_len; left != 0; piece++) {
			h.content_crc = crc32c(h.content_crc,
			    iov[piece].iov_base, iov[piece].iov_len);
			left -= (uint32_t)iov[piece].iov_len;
		}
		memcpy(b->recs.p + at, &h, sizeof(h));
		at += sizeof(h) + plog_pad(h.len, 8);
	}
}

static int
write_batch(struct plog_batch *b, enum plog_kind kind)
{
	static const uint8_t zeros[PLOG_ALIGN];
	size_t pieces = b->iov.len / sizeof(struct iovec);
	uint64_t end = PLOG_BATCH_HEADER + b->recs.len + b->content_len;
	struct plog_batch_header h = {
		.magic = PLOG_BATCH_MAGIC,
		.segid = b->file->segid,
		.off = b->off,
		.committed = b->off,
		.time_us = b->time_us,
		.total = (uint32_t)plog_pad(end, PLOG_ALIGN),
		.rec_len = (uint32_t)b->recs.len,
		.first = b->first,
		.n_records = b->n,
	};
	struct iovec *iov = mem_alloc((pieces + 3) * sizeof(*iov));
	int r = 0;

	seal_records(b);
	h.rec_crc = plog_crc(b->file->segid, b->recs.p, b->recs.len);
	plog_batch_header_seal(&h);
	b->total = h.total;
	iov[0] = (struct iovec){ &h, sizeof(h) };
	iov[1] = (struct iovec){ b->recs.p, b->recs.len };
	if (pieces != 0) {
		memcpy(iov + 2, b->iov.p, pieces * sizeof(*iov));
	}
	iov[pieces + 2] =
	    (struct iovec){ (void *)(uintptr_t)zeros, h.total - end };
	if (!b->file->has_header) {
		uint8_t head[PLOG_FILE_HEADER] = { 0 };
		struct plog_file_header f;
		struct iovec one = { head, sizeof(head) };

		plog_file_header_make(&f, b->file->segid, kind, b->time_us);
		memcpy(head, &f, sizeof(f));
		r = write_all(b->file->fd, &one, 1, 0);
	}
	if (r == 0) {
		r = write_all(b->file->fd, iov, pieces + 3, b->off);
	}
	free(iov);
	return r;
}

void
plog_commit(struct plog_batch *b, enum plog_kind kind)
{
	int r = write_batch(b, kind);

	if (r < 0) {
		/* Nothing of it is acknowledged; without its bytes the file
		 * is as good as before, which is empty at the first batch. */
		off_t end = b->file->has_header ? (off_t)b->off : 0;

		b->is_sync_failed = ftruncate(b->file->fd, end) < 0;
		b->status = r == -ENOSPC || r == -EDQUOT || r == -EFBIG
		    ? -ENOSPC
		    : -EIO;
	} else if (fdatasync(b->file->fd) < 0) {
		/* The kernel may have dropped the pages: asking again would
		 * say yes without meaning it. */
		b->is_sync_failed = true;
		b->status = -EIO;
	}
}
