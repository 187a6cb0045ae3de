/*
 * What lies in the spool's directories: segments of writers that died before
 * qmgr had read them, and big files that nobody names.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "core_view.h"
#include "log.h"
#include "map.h"
#include "qmgr.h"
#include "reports.h"
#include "uuid.h"

#define WRITERS 256
#define ORPHAN_AGE_S 3600

/* Copies of a run before: only what the journal names counts, and nothing
 * will be added. */
static void
found(struct qmgr *q, uint64_t segid)
{
	struct seg *g = intake_segment(q, segid);
	char path[SEG_PATH_SIZE];
	struct stat st;

	if (segid >> 56 == SPOOL_WRITER_QMGR) {
		seg_path(segid, path);
		g->off = lstat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
		g->is_sealed = true;
		g->is_read = true;
	}
}

static void
scan_writer(struct qmgr *q, unsigned writer)
{
	char path[16];
	struct dirent *e;
	uint64_t segid;
	DIR *d;

	(void)snprintf(path, sizeof(path), "msg/%u", writer);
	d = opendir(path);
	if (d == NULL) {
		if (errno != ENOENT) {
			log_warn("%s: %s", path, strerror(errno));
		}
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (segment_name_parse(
			(uint8_t)writer, str_of(e->d_name), &segid) == 0) {
			found(q, segid);
		}
	}
	(void)closedir(d);
}

void
scan_segments(struct qmgr *q)
{
	uint32_t at = 0;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		found(q, g->segid);
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		scan_writer(q, w);
	}
	intake_wanted(q);
}

/* ---- big files ---------------------------------------------------------- */

static void
name_used(struct qmgr *q, struct map *used)
{
	struct report_view v;
	uint32_t at = 0;
	size_t r_at = 0;
	uint32_t msg;
	int r;

	while (notes_big_count(q->notes) != 0 &&
	    (r = core_walk(q->core, &at, &msg)) != 0) {
		uint64_t number = r == 1 ? notes_big(q->notes, msg) : 0;

		if (number != 0) {
			(void)map_put_u64(used, number, q);
		}
	}
	while (reports_next(q, &r_at, &v)) {
		if (v.big_file != 0) {
			(void)map_put_u64(used, v.big_file, q);
		}
	}
}

static bool
is_old(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 &&
	    (uint64_t)st.st_mtime + ORPHAN_AGE_S < clock_wall_us() / US_PER_S;
}

void
scan_big(struct qmgr *q)
{
	struct map *used = map_new();
	DIR *d = opendir("big");
	char path[SEG_PATH_SIZE];
	struct dirent *e;
	uint64_t number;
	unsigned n = 0;

	name_used(q, used);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "%16" SCNx64, &number) != 1) {
			continue;
		}
		big_path(number, path);
		if (strcmp(path + 4, e->d_name) == 0 &&
		    map_get_u64(used, number) == NULL && is_old(path)) {
			disk_remove_lazily(q->disk, path);
			n++;
		}
	}
	if (d != NULL) {
		(void)closedir(d);
	}
	if (n != 0) {
		log_info("%u large messages that were never acknowledged are "
			 "removed",
		    n);
	}
	map_free(&used, NULL);
}
