/*
 * Names and places in the journal. The journal is a plog of events in
 * files jrn/<number, 8 hex digits>.jrn; qmgr is its writer.
 *
 * An LSN names a record: file number (24 bits) and offset / 8 (24 bits). It
 * fits 48 bits and grows with time; 0 names nothing.
 */
#ifndef LIB_JOURNAL_H
#define LIB_JOURNAL_H

#include <stdint.h>

#include "attr.h"
#include "str.h"

#define JOURNAL_NAME_SIZE 16

static inline uint64_t
journal_lsn(uint32_t number, uint64_t off)
{
	return (uint64_t)number << 24 | off / 8;
}

static inline uint32_t
journal_lsn_number(uint64_t lsn)
{
	return (uint32_t)(lsn >> 24);
}

static inline uint64_t
journal_lsn_off(uint64_t lsn)
{
	return (lsn & 0xffffff) * 8;
}

/* The segment id of a journal file: writer 255. */
static inline uint64_t
journal_segid(uint32_t number)
{
	return 0xffULL << 56 | number;
}

/* "00000001.jrn"; dst has JOURNAL_NAME_SIZE bytes. */
void journal_name(uint32_t number, char *dst);
/* -EINVAL for another name. */
int journal_name_parse(struct str name, uint32_t *number) MUST_CHECK;

#endif
