#include "journal_files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "crc32c.h"
#include "journal.h"
#include "plog.h"
#include "plog_format.h"

static void
write_at(int fd, const void *p, size_t n, uint64_t off)
{
	bug_on(pwrite(fd, p, n, (off_t)off) != (ssize_t)n);
}

void
journal_file_make(
    struct journal_file *f, int dir, uint32_t number, uint64_t created_us)
{
	uint8_t head[PLOG_FILE_HEADER] = { 0 };
	struct plog_file_header h;
	char name[JOURNAL_NAME_SIZE];

	journal_name(number, name);
	*f = (struct journal_file){ .number = number, .off = PLOG_FILE_HEADER };
	f->fd = dir < 0 ? memfd_create(name, MFD_CLOEXEC)
			: openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bug_on(f->fd < 0);
	plog_file_header_make(
	    &h, journal_segid(number), PLOG_JOURNAL, created_us);
	memcpy(head, &h, sizeof(h));
	write_at(f->fd, head, sizeof(head), 0);
}

void
journal_file_close(struct journal_file *f)
{
	(void)close(f->fd);
	buf_fini(&f->recs);
}

uint64_t
journal_file_add(
    struct journal_file *f, enum event_type type, const void *event)
{
	uint64_t segid = journal_segid(f->number);
	struct plog_record_header h = { .type = (uint16_t)type };
	uint64_t at = f->off + PLOG_BATCH_HEADER + f->recs.len;
	struct buf rec = { 0 };

	bug_on(event_encode(&rec, type, event) < 0);
	h.len = (uint32_t)rec.len;
	h.crc = plog_crc(segid, rec.p, rec.len);
	buf_add(&f->recs, &h, sizeof(h));
	buf_add(&f->recs, rec.p, rec.len);
	buf_zero(&f->recs, plog_pad(rec.len, 8) - rec.len);
	buf_fini(&rec);
	f->n_recs++;
	return journal_lsn(f->number, at);
}

uint64_t
journal_file_commit(struct journal_file *f, uint64_t time_us)
{
	uint64_t segid = journal_segid(f->number);
	struct plog_batch_header h = { .magic = PLOG_BATCH_MAGIC,
		.segid = segid,
		.off = f->off,
		.committed = f->off,
		.time_us = time_us,
		.rec_len = (uint32_t)f->recs.len,
		.first = f->index,
		.n_records = f->n_recs };
	struct buf batch = { 0 };

	h.total = (uint32_t)plog_pad(sizeof(h) + f->recs.len, PLOG_ALIGN);
	h.rec_crc = crc32c(plog_seed(segid), f->recs.p, f->recs.len);
	plog_batch_header_seal(&h);
	buf_add(&batch, &h, sizeof(h));
	buf_add(&batch, f->recs.p, f->recs.len);
	buf_zero(&batch, h.total - batch.len);
	write_at(f->fd, batch.p, batch.len, f->off);
	buf_fini(&batch);
	f->off += h.total;
	f->index += f->n_recs;
	f->n_recs = 0;
	f->recs.len = 0;
	return journal_lsn(f->number, f->off);
}
