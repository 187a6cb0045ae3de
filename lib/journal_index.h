/*
 * What a finished journal file holds, so that a search need not read it: for
 * each stretch of about a megabyte its times, its kinds of events, and a Bloom
 * filter of what a search may ask for. It stands beside the file as
 * jrn/<number, 8 hex digits>.idx; packetboat-spool(5) has the bytes. It says
 * nothing that the file does not: one that is missing or damaged costs time.
 */
#ifndef LIB_JOURNAL_INDEX_H
#define LIB_JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/*
 * What a key is. Events name the accepted event of their message by its LSN
 * and do not repeat it, so a stretch also tells in which files those stand:
 * who looks for an account looks where it is among the accepted events,
 * and then where events join with that file.
 */
enum journal_key_kind {
	JOURNAL_KEY_ID = 'i',	   /* 16 bytes, of the message */
	JOURNAL_KEY_RCPT = 'r',	   /* address; of accepted: each of them */
	JOURNAL_KEY_DOMAIN = 'd',  /* behind the last @ of such an address */
	JOURNAL_KEY_SENDER = 's',  /* envelope and header From, of accepted */
	JOURNAL_KEY_ACCOUNT = 'a', /* NAME and NAME/SUB, of accepted */
	JOURNAL_KEY_JOIN = 'j',	   /* 4 bytes: the file of accept_lsn */
	JOURNAL_KEY_BARE = 'b',	   /* the same, of events without address */
};

/* ASCII case of addresses and domains does not matter. */
uint64_t journal_key(enum journal_key_kind kind, struct str value);
/* A key of kind JOIN or BARE. */
uint64_t journal_key_file(enum journal_key_kind kind, uint32_t number);

/* "00000001.idx"; dst has JOURNAL_NAME_SIZE bytes (journal.h). */
void journal_index_name(uint32_t number, char *dst);
/* -EINVAL for another name. */
int journal_index_name_parse(struct str name, uint32_t *number) MUST_CHECK;

/*
 * Reads the journal file, to which nothing will be added, and appends its
 * index to out. Returns 0; -EUCLEAN, it is damaged: no index, so that each
 * search says so; -ENODATA, it is empty; -EBADMSG or -errno, it cannot be read.
 */
int journal_index_build(int fd, uint32_t number, struct buf *out) MUST_CHECK;

/* An index that was checked; text stays the caller's. */
struct journal_index {
	const uint8_t *p;
	uint64_t size;	   /* of the journal file that it is about */
	uint64_t first_us; /* time of its first batch */
	uint32_t n;	   /* stretches */
};

/* 0, or -EBADMSG when it is not, whole and undamaged, the one of the file. */
int journal_index_open(
    struct str text, uint32_t number, struct journal_index *out) MUST_CHECK;

/* Batches that stand together. */
struct journal_stretch {
	uint64_t off;		    /* of the first batch */
	uint64_t end;		    /* of the last one */
	uint64_t first_us, last_us; /* the earliest and the latest event */
	uint64_t kinds[2];	    /* bit per event number below 128 */
	const uint8_t *filter;
	uint32_t blocks; /* of 64 bytes, in filter */
};

/* i < n. */
void journal_index_stretch(
    const struct journal_index *x, uint32_t i, struct journal_stretch *out);

/* False: no event of the stretch has the key. */
bool journal_stretch_may_have(const struct journal_stretch *s, uint64_t key);

#endif
