/*
 * The bytes of a journal file's index, as packetboat-spool(5) specifies them.
 */
#ifndef LIB_JOURNAL_INDEX_FORMAT_H
#define LIB_JOURNAL_INDEX_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define INDEX_MAGIC "PBIDX\0\0\1"
/* A key's bits all stand in one block, a line of the processor's cache. */
#define INDEX_BLOCK 64u
/* Bits of filter for each key, and how many of them it sets: of a thousand keys
 * that are not there about one seems to be. */
#define INDEX_KEY_BITS 16u
#define INDEX_PROBES 7

struct index_header {
	uint8_t magic[8];
	uint64_t segid;
	uint64_t size;	   /* of the journal file, to the end of its batches */
	uint64_t first_us; /* time of the first batch */
	uint64_t total;	   /* of the index, bytes */
	uint32_t n;	   /* stretches */
	uint32_t body_crc; /* CRC-32C of all behind the header */
	uint8_t zero[12];
	uint32_t crc; /* of the bytes before */
};

struct index_stretch {
	uint64_t off;
	uint64_t end;
	uint64_t first_us;
	uint64_t last_us;
	uint64_t kinds[2];
	uint32_t filter; /* block where it begins, in the index */
	uint32_t blocks; /* 0: no keys */
	uint64_t zero;
};

_Static_assert(sizeof(struct index_header) == INDEX_BLOCK, "as specified");
_Static_assert(sizeof(struct index_stretch) == INDEX_BLOCK, "as specified");

/* The block of a key's bits. */
static inline uint64_t
index_filter_block(uint64_t key, uint32_t blocks)
{
	return ((key >> 32) * blocks) >> 32;
}

/* Seven numbers of 9 bits, the lowest first. */
static inline uint64_t
index_filter_bits(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15ULL;
}

void index_filter_add(uint8_t *filter, uint32_t blocks, uint64_t key);

#endif
