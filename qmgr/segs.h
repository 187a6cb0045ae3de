/*
 * The segments of the spool as qmgr sees them: how far each is taken in, how
 * many messages in it are alive, who writes it, which processes hold it open.
 */
#ifndef QMGR_SEGS_H
#define QMGR_SEGS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "plog.h"

struct peer;
struct segs;

struct seg {
	uint64_t segid;
	bool is_used;
	uint32_t index; /* small number, for the schedule's messages */
	int fd;		/* -1: not open */
	struct plog_reader reader;
	bool has_reader;
	uint64_t off;	    /* taken in up to here, the end of a batch */
	uint64_t limit;	    /* its writer said that it is durable up to here */
	struct peer *owner; /* the channel of its writer; NULL: unknown */
	uint32_t live;	    /* messages in it that are not finished */
	uint32_t jobs;	    /* out with other processes */
	uint64_t read_us;   /* when it was taken in to its end; 0: before */
	uint64_t quiet_since_us; /* without a writer and without growth */
	uint64_t seen_us;	 /* when nobody had announced it, and how */
	uint64_t seen_size;	 /* large it was; 0: not looked at */
	uint64_t delivers; /* bit per deliver process that holds it open */
	bool is_with_bouncer;
	bool is_announced; /* by its writer, in this run */
	bool is_sealed;	   /* nothing will be added */
	bool is_read;	   /* taken in to its end */
	bool is_leaving;   /* its survivors are copied */
	bool is_removing;
	bool is_removed_before; /* a fact of the run before: remove again */
	bool is_damaged;
	struct seg *next_free;
};

/* "msg/<writer>/<incarnation>-<number>.seg" */
#define SEG_PATH_SIZE 48
void seg_path(uint64_t segid, char *dst);
/* "big/<number, 16 hex digits>.msg" */
void big_path(uint64_t number, char *dst);

/* Files kept open at most, besides those in use. */
struct segs *segs_new(unsigned open_limit);
void segs_free(struct segs **s);

/* NULL when it is not known. */
struct seg *segs_find(const struct segs *s, uint64_t segid);
/* Known from now on. */
struct seg *segs_add(struct segs *s, uint64_t segid);
/* By the small number; it must be in use. */
struct seg *segs_at(const struct segs *s, uint32_t index);
/* Forgets it: nothing in it is alive and the file is gone. */
void segs_drop(struct segs *s, struct seg *g);
/* Walks all; *at begins with 0. NULL at the end. The one found last may be
 * dropped meanwhile. */
struct seg *segs_next(const struct segs *s, uint32_t *at);

/*
 * Opens the file, if it is not open. May close another one that nobody uses;
 * closing is called for it first. Returns 0 or -errno.
 */
int segs_open(struct segs *s, struct seg *g) MUST_CHECK;
void segs_close(struct segs *s, struct seg *g);
void segs_set_closing(
    struct segs *s, void (*closing)(void *arg, struct seg *g), void *arg);

/*
 * Opens it and places the reader behind what is taken in. 0 or -errno; 1: as
 * 0, and said once: the file's header cannot be read.
 */
int segs_read_on(struct segs *s, struct seg *g) MUST_CHECK;

#endif
