/*
 * Descriptors of segments and big files for the processes that read mail.
 * Each file is sent once to each process, before the first job that needs it.
 */
#include <errno.h>

#include "bigs.h"
#include "qmgr.h"

static int
give(struct peer *p, uint64_t segid, bool is_big, int fd)
{
	struct ipc_file m = { .segid = segid, .is_big = is_big };

	return peer_send_fd(p, IPC_file, 0, &m, fd);
}

static void
take_back(struct peer *p, uint64_t segid, bool is_big)
{
	struct ipc_file_drop m = { .segid = segid, .is_big = is_big };

	if (p != NULL) {
		(void)peer_send(p, IPC_file_drop, 0, &m); /* down: no matter */
	}
}

static void
big_done(struct qmgr *q, struct big *b)
{
	for (unsigned i = 0; i < q->n_delivers; i++) {
		if (b->delivers & 1ULL << i) {
			take_back(q->delivers[i].peer, b->number, true);
		}
	}
	if (b->is_with_bouncer) {
		take_back(q->bouncer, b->number, true);
	}
	bigs_close(q->bigs, b);
}

int
files_to_deliver(struct qmgr *q, unsigned index, struct seg *g, uint64_t big)
{
	struct peer *p = q->delivers[index].peer;
	uint64_t bit = 1ULL << index;
	struct big *b;
	int r = segs_open(q->segs, g);

	if (r == 0 && !(g->delivers & bit)) {
		r = give(p, g->segid, false, g->fd);
	}
	if (r < 0) {
		return r;
	}
	g->delivers |= bit;
	if (big != 0) {
		r = bigs_use(q->bigs, big, &b);
		if (r < 0) {
			return r;
		}
		if (!(b->delivers & bit)) {
			(void)give(p, big, true, b->fd); /* down: comes back */
			b->delivers |= bit;
		}
	}
	g->jobs++;
	return 0;
}

int
files_to_bouncer(struct qmgr *q, struct seg *g, uint64_t big)
{
	struct big *b;
	int r = segs_open(q->segs, g);

	if (r == 0 && !g->is_with_bouncer) {
		r = give(q->bouncer, g->segid, false, g->fd);
	}
	if (r < 0) {
		return r;
	}
	g->is_with_bouncer = true;
	if (big != 0) {
		r = bigs_use(q->bigs, big, &b);
		if (r < 0) {
			return r;
		}
		if (!b->is_with_bouncer) {
			(void)give(q->bouncer, big, true, b->fd);
			b->is_with_bouncer = true;
		}
	}
	g->jobs++;
	return 0;
}

void
files_done(struct qmgr *q, uint64_t segid, uint64_t big)
{
	struct seg *g = segs_find(q->segs, segid);
	struct big *b = big != 0 ? bigs_find(q->bigs, big) : NULL;

	if (b != NULL && bigs_unuse(b)) {
		big_done(q, b);
	}
	bug_on(g == NULL || g->jobs == 0);
	g->jobs--;
	release_segment(q, g);
}

void
files_forget_deliver(struct qmgr *q, unsigned index)
{
	uint32_t at = 0;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		g->delivers &= ~(1ULL << index);
	}
	bigs_forget_deliver(q->bigs, index);
}

void
files_forget_bouncer(struct qmgr *q)
{
	uint32_t at = 0;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		g->is_with_bouncer = false;
	}
	bigs_forget_bouncer(q->bigs);
}

void
files_closing(void *arg, struct seg *g)
{
	struct qmgr *q = arg;

	for (unsigned i = 0; i < q->n_delivers; i++) {
		if (g->delivers & 1ULL << i) {
			take_back(q->delivers[i].peer, g->segid, false);
		}
	}
	if (g->is_with_bouncer && q->bouncer != NULL) {
		take_back(q->bouncer, g->segid, false);
	}
	g->delivers = 0;
	g->is_with_bouncer = false;
}
