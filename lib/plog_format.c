#include "plog_format.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"
#include "plog.h"

#define FORMAT 1

void
plog_file_header_make(struct plog_file_header *h, uint64_t segid, uint32_t kind,
    uint64_t created_us)
{
	*h = (struct plog_file_header){ .segid = segid,
		.kind = kind,
		.format = FORMAT,
		.created_us = created_us };
	memcpy(h->magic, PLOG_FILE_MAGIC, sizeof(h->magic));
	h->crc = crc32c(0, h, offsetof(struct plog_file_header, crc));
}

int
plog_file_header_check(const struct plog_file_header *h)
{
	if (memcmp(h->magic, PLOG_FILE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->format != FORMAT ||
	    h->crc != crc32c(0, h, offsetof(struct plog_file_header, crc))) {
		return -EBADMSG;
	}
	return 0;
}

static uint32_t
batch_crc(const struct plog_batch_header *h)
{
	size_t from = offsetof(struct plog_batch_header, segid);

	return crc32c(
	    plog_seed(h->segid), (const uint8_t *)h + from, sizeof(*h) - from);
}

void
plog_batch_header_seal(struct plog_batch_header *h)
{
	h->crc = batch_crc(h);
}

int
plog_batch_header_check(
    const struct plog_batch_header *h, uint64_t segid, uint64_t off)
{
	if (h->magic != PLOG_BATCH_MAGIC || h->segid != segid ||
	    h->off != off || h->crc != batch_crc(h) ||
	    h->total > PLOG_TOTAL_MAX || h->total % PLOG_ALIGN != 0 ||
	    h->total < sizeof(*h) || h->rec_len > h->total - sizeof(*h) ||
	    h->committed > off) {
		return -EBADMSG;
	}
	return 0;
}

uint32_t
plog_crc(uint64_t segid, const void *p, size_t n)
{
	return crc32c(plog_seed(segid), p, n);
}
