/*
 * The files of a spool, found without anybody's help (packetboat-spool(5)).
 */
#ifndef TOOLS_PBSPOOL_FILES_H
#define TOOLS_PBSPOOL_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

/* In the order in which they are looked at: who says what is alive first. */
enum pbspool_kind {
	PBSPOOL_CHECKPOINT,
	PBSPOOL_JOURNAL,
	PBSPOOL_SEGMENT,
	PBSPOOL_BIG,
	PBSPOOL_OTHER, /* a name that nothing of ours has */
};

#define PBSPOOL_PATH_SIZE 96

struct pbspool_file {
	enum pbspool_kind kind;
	uint64_t id;   /* segment id, or the number in the name */
	uint64_t size; /* bytes */
	char path[PBSPOOL_PATH_SIZE]; /* in the spool; OTHER: safe to print */
};

struct pbspool_files {
	int dir; /* the spool's; not owned */
	struct pbspool_file *all;
	size_t n;
};

/*
 * Lists the spool in the open directory dir, by kind, then by number. Returns
 * 0; -ENOENT: there is neither msg/ nor jrn/ in it; -errno, with the path that
 * could not be read in *where.
 */
int pbspool_files_list(
    int dir, struct pbspool_files *out, struct buf *where) MUST_CHECK;
void pbspool_files_fini(struct pbspool_files *f);

/* The one with this id; NULL: there is none. */
const struct pbspool_file *pbspool_files_find(
    const struct pbspool_files *f, enum pbspool_kind kind, uint64_t id);

/* The first one of the kind, NULL when there is none; *n is their count. */
const struct pbspool_file *pbspool_files_of(
    const struct pbspool_files *f, enum pbspool_kind kind, size_t *n);

/* Opens it for reading only. The descriptor or -errno. */
int pbspool_files_open(
    const struct pbspool_files *f, const struct pbspool_file *file) MUST_CHECK;

/* The name in the spool of a segment, and of a big file. */
void pbspool_segment_path(uint64_t segid, char *dst);
void pbspool_big_path(uint64_t number, char *dst);

#endif
