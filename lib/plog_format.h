/*
 * The bytes of a plog, as packetboat-spool(5) specifies them. Used by the
 * writer, the reader and the tools that check a spool.
 */
#ifndef LIB_PLOG_FORMAT_H
#define LIB_PLOG_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"

#define PLOG_FILE_MAGIC "PBLOG\0\0\1"
#define PLOG_BATCH_MAGIC 0x42544342u /* "BCTB" */

/* At offset 0, PLOG_FILE_HEADER bytes; the rest of them is zero. */
struct plog_file_header {
	uint8_t magic[8];
	uint64_t segid;
	uint32_t kind;
	uint32_t format; /* 1 */
	uint64_t created_us;
	uint32_t crc; /* of the bytes before */
	uint32_t zero;
};

/* Before each batch. Offsets count from the file's beginning. */
struct plog_batch_header {
	uint32_t magic;
	uint32_t crc; /* of the bytes behind it, seeded with the segment's id */
	uint64_t segid;
	uint64_t off;	    /* of this header */
	uint64_t committed; /* the file was durable up to here when written */
	uint64_t time_us;
	uint32_t total;	  /* bytes of the batch with header and padding */
	uint32_t rec_len; /* bytes of the records behind the header */
	uint32_t rec_crc; /* of the records, seeded */
	uint32_t first;	  /* number of its first record in the file */
	uint32_t n_records;
	uint32_t zero;
};

/* Before each record; the record is padded with zeros to 8 bytes. */
struct plog_record_header {
	uint32_t len; /* of the record behind, without padding */
	uint16_t type;
	uint16_t zero;
	uint32_t crc;	      /* of the record, seeded */
	uint32_t content_off; /* from the end of the batch's records */
	uint32_t content_len; /* 0: none */
	uint32_t content_crc; /* seeded */
};

_Static_assert(sizeof(struct plog_batch_header) == 64, "as specified");
_Static_assert(sizeof(struct plog_record_header) == 24, "as specified");

#define PLOG_TOTAL_MAX (512u * 1024 * 1024)

static inline uint64_t
plog_pad(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* The seed of all checksums of a segment. */
static inline uint32_t
plog_seed(uint64_t segid)
{
	return (uint32_t)segid ^ (uint32_t)(segid >> 32);
}

void plog_file_header_make(struct plog_file_header *h, uint64_t segid,
    uint32_t kind, uint64_t created_us);
/* 0 or -EBADMSG. */
int plog_file_header_check(const struct plog_file_header *h) MUST_CHECK;

/* Fills in crc. */
void plog_batch_header_seal(struct plog_batch_header *h);
/* 0, or -EBADMSG when it is not the header of a batch at off in segid. */
int plog_batch_header_check(
    const struct plog_batch_header *h, uint64_t segid, uint64_t off) MUST_CHECK;

#endif
