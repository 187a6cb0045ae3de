/*
 * A batch of a log's records on its way to the file: what the writer in the
 * loop and its helper thread share. Nobody else includes it.
 */
#ifndef LIB_PLOG_COMMIT_H
#define LIB_PLOG_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "plog.h"

/* A file being filled. Freed when it is sealed and no batch refers to it. */
struct plog_file {
	int fd;
	uint64_t segid;
	uint64_t off;	  /* where the next batch goes */
	uint32_t index;	  /* of the next record */
	unsigned batches; /* formed or in flight */
	bool has_header;
	bool is_sealed;
	bool is_bad; /* a sync failed: never written again */
	struct plog_file *next;
};

/* Filled by the writer; then the helper thread's until it has answered. */
struct plog_batch {
	struct plog_batch *next;
	struct plog_file *file;
	struct buf recs;
	struct buf entries; /* the writer's own */
	struct buf iov;	    /* struct iovec of the contents */
	uint64_t content_len;
	uint32_t n;
	uint32_t first;
	uint64_t time_us; /* when it was given to the helper thread */
	bool is_closed;
	/* filled in by the helper thread */
	uint64_t off;
	uint64_t total;
	int status;
	bool is_sync_failed;
};

/*
 * Writes the batch at b->off and syncs the file. Fills in b->total, b->status
 * (0, -EIO or -ENOSPC) and b->is_sync_failed: the file is not to be trusted
 * any more. Called in the helper thread.
 */
void plog_commit(struct plog_batch *b, enum plog_kind kind);

#endif
