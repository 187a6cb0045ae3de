/*
 * Reads one file of a log to its end, over damage too, and tells what in it
 * can be believed (packetboat-spool(5): what a reader makes of bytes that do
 * not agree).
 */
#ifndef TOOLS_PBSPOOL_SCAN_H
#define TOOLS_PBSPOOL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "plog.h"

/* How sure it is that a record was acknowledged. */
enum pbspool_trust {
	PBSPOOL_ACKNOWLEDGED, /* surely durable before somebody was told */
	PBSPOOL_LAST,	     /* the last batch: perhaps; contents may be torn */
	PBSPOOL_BEHIND_TEAR, /* no: a reader of the suite ends before it */
};

struct pbspool_scan {
	/* given: */
	int fd;		/* not owned */
	uint64_t segid; /* that the file's name tells */
	uint32_t kind;	/* PLOG_MAIL ... */
	uint64_t known; /* durable up to here, as others say; 0: nobody does */
	void (*record)(
	    void *arg, const struct plog_record *rec, enum pbspool_trust trust);
	/* what: a few words; len 0: to nobody knows where */
	void (*damage)(void *arg, uint64_t off, uint64_t len, const char *what);
	void *arg;

	/* found: */
	uint64_t size; /* of the file, bytes */
	uint64_t created_us;
	uint64_t batches;
	uint64_t records;
	uint64_t torn_off;  /* where the torn tail begins */
	uint64_t torn_len;  /* bytes to the end of the file; 0: none */
	uint64_t committed; /* the file was durable up to here, all told */
	bool is_empty;	    /* made and never written to */
};

/*
 * Returns 0 or -errno of the reading; damage is no error. record and damage
 * may be NULL.
 */
int pbspool_scan(struct pbspool_scan *s) MUST_CHECK;

#endif
