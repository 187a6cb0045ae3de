/*
 * What is not needed any more: segments in which nothing is alive, big files
 * of finished messages. A file goes only when the facts that make it
 * needless are durable.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "core_view.h"
#include "keep.h"
#include "log.h"
#include "qmgr.h"

static bool
is_needed(struct qmgr *q, const struct seg *g)
{
	struct core_segment_view v;

	if (q->jrn == NULL || !q->has_tenants) {
		return true; /* not yet: release_all looks at it later */
	}
	if (!g->is_read || g->is_removing || g->is_damaged || g->live != 0 ||
	    g->jobs != 0) {
		return true;
	}
	core_segment_get(q->core, g->segid, &v);
	return v.messages != 0;
}

static void
on_removed(void *arg, uint64_t segid, int status, int fd)
{
	struct qmgr *q = arg;
	struct seg *g = segs_find(q->segs, segid);

	(void)fd;
	if (status < 0) {
		/* Tried again at the next start: the fact stands. */
		log_error("segment %016" PRIx64 " cannot be removed: %s", segid,
		    strerror(-status));
		return;
	}
	if (g != NULL) {
		segs_drop(q->segs, g);
	}
}

static void
remove_file(struct qmgr *q, struct seg *g)
{
	char path[SEG_PATH_SIZE];

	segs_close(q->segs, g);
	seg_path(g->segid, path);
	disk_remove(q->disk, path, on_removed, q, g->segid);
}

static void
on_fact(void *arg, uint64_t lsn, uint64_t segid, uint64_t zero)
{
	struct qmgr *q = arg;
	struct seg *g = segs_find(q->segs, segid);

	(void)lsn;
	(void)zero;
	if (g != NULL) {
		remove_file(q, g);
	}
}

/* What accounts keep of it is durable elsewhere: it may go. */
static void
on_kept(void *arg, uint64_t segid, int status, int fd)
{
	struct event_segment_removed e = { .segid = segid };
	struct qmgr *q = arg;

	(void)fd;
	if (status < 0) {
		log_error("segment %016" PRIx64 " stays until the next start: "
			  "what accounts keep of it cannot be copied: %s",
		    segid, strerror(-status));
		return;
	}
	qmgr_write(q, EVENT_segment_removed, &e, on_fact, segid, 0);
}

void
release_segment(struct qmgr *q, struct seg *g)
{
	if (is_needed(q, g)) {
		return;
	}
	g->is_removing = true;
	keep_segment(q, g->segid, on_kept);
}

void
release_all(struct qmgr *q)
{
	uint32_t at = 0;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		if (g->is_damaged && segs_open(q->segs, g) == -ENOENT) {
			g->is_damaged = false; /* somebody has removed it */
		}
		if (g->is_removing) {
			continue;
		}
		if (g->is_removed_before) {
			g->is_removing = true;
			remove_file(q, g);
		} else {
			release_segment(q, g);
		}
	}
}

/* ---- messages ----------------------------------------------------------- */

static void
on_big_settled(void *arg, uint64_t lsn, uint64_t number, uint64_t until_s)
{
	struct qmgr *q = arg;
	char path[SEG_PATH_SIZE];

	(void)lsn;
	if (until_s > qmgr_now(q) / US_PER_S) {
		keep_big(q, number, until_s);
		return;
	}
	big_path(number, path);
	disk_remove_lazily(q->disk, path);
}

void
release_message(struct qmgr *q, const struct core_out *o)
{
	uint64_t big = notes_big(q->notes, o->msg);
	char id[UUID_TEXT_SIZE];

	uuid_print(&o->id, id);
	log_info("%s: removed", id);
	if (big != 0) {
		jrn_after(q->jrn, on_big_settled, big, keep_until_s(q, o));
	}
	notes_clear(q->notes, o->msg);
}
