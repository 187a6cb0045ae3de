#include "segs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "map.h"
#include "uuid.h"

struct segs {
	struct map *by_id;
	struct seg **all; /* by index */
	uint32_t n;	  /* indices given so far */
	uint32_t cap;
	struct seg *free; /* indices to give again */
	unsigned open;
	unsigned open_limit;
	uint32_t hand; /* where the search for one to close goes on */
	void (*closing)(void *arg, struct seg *g);
	void *arg;
};

void
seg_path(uint64_t segid, char *dst)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(segid, name);
	(void)snprintf(
	    dst, SEG_PATH_SIZE, "msg/%u/%s", (unsigned)(segid >> 56), name);
}

void
big_path(uint64_t number, char *dst)
{
	(void)snprintf(dst, SEG_PATH_SIZE, "big/%016" PRIx64 ".msg", number);
}

struct segs *
segs_new(unsigned open_limit)
{
	struct segs *s = mem_alloc(sizeof(*s));

	s->by_id = map_new();
	s->open_limit = open_limit;
	return s;
}

void
segs_free(struct segs **sp)
{
	struct segs *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	s->closing = NULL;
	for (uint32_t i = 0; i < s->n; i++) {
		segs_close(s, s->all[i]);
		free(s->all[i]);
	}
	free(s->all);
	map_free(&s->by_id, NULL);
	free(s);
}

struct seg *
segs_find(const struct segs *s, uint64_t segid)
{
	return map_get_u64(s->by_id, segid);
}

static struct seg *
fresh(struct segs *s)
{
	struct seg *g = s->free;

	if (g != NULL) {
		s->free = g->next_free;
		return g;
	}
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->all = mem_resize(s->all, s->cap * sizeof(*s->all));
	}
	g = mem_alloc(sizeof(*g));
	g->index = s->n;
	s->all[s->n++] = g;
	return g;
}

struct seg *
segs_add(struct segs *s, uint64_t segid)
{
	struct seg *g = segs_find(s, segid);

	if (g != NULL) {
		return g;
	}
	g = fresh(s);
	*g = (struct seg){
		.segid = segid, .is_used = true, .index = g->index, .fd = -1
	};
	(void)map_put_u64(s->by_id, segid, g);
	return g;
}

struct seg *
segs_at(const struct segs *s, uint32_t index)
{
	bug_on(index >= s->n || !s->all[index]->is_used);
	return s->all[index];
}

void
segs_drop(struct segs *s, struct seg *g)
{
	bug_on(g->live != 0 || g->jobs != 0);
	segs_close(s, g);
	(void)map_del_u64(s->by_id, g->segid);
	g->is_used = false;
	g->next_free = s->free;
	s->free = g;
}

struct seg *
segs_next(const struct segs *s, uint32_t *at)
{
	while (*at < s->n) {
		struct seg *g = s->all[(*at)++];

		if (g->is_used) {
			return g;
		}
	}
	return NULL;
}

void
segs_close(struct segs *s, struct seg *g)
{
	/* A deliver may hold it from the run before, when it was never open
	 * here. */
	if (s->closing != NULL) {
		s->closing(s->arg, g);
	}
	if (g->fd < 0) {
		return;
	}
	if (g->has_reader) {
		plog_reader_fini(&g->reader);
		g->has_reader = false;
	}
	(void)close(g->fd);
	g->fd = -1;
	s->open--;
}

void
segs_set_closing(
    struct segs *s, void (*closing)(void *arg, struct seg *g), void *arg)
{
	s->closing = closing;
	s->arg = arg;
}

/* Segments that are written or read right now stay open. */
static void
close_one(struct segs *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct seg *g = s->all[s->hand++ % s->n];

		if (g->is_used && g->fd >= 0 && g->jobs == 0 &&
		    g->owner == NULL) {
			segs_close(s, g);
			return;
		}
	}
}

int
segs_open(struct segs *s, struct seg *g)
{
	char path[SEG_PATH_SIZE];

	if (g->fd >= 0) {
		return 0;
	}
	if (s->open >= s->open_limit) {
		close_one(s);
	}
	seg_path(g->segid, path);
	g->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (g->fd < 0) {
		return -errno;
	}
	s->open++;
	return 0;
}

int
segs_read_on(struct segs *s, struct seg *g)
{
	int r = segs_open(s, g);

	if (r < 0 || g->has_reader) {
		return r;
	}
	r = plog_reader_init(&g->reader, g->fd);
	if (r == 0 && g->reader.segid != g->segid) {
		plog_reader_fini(&g->reader);
		r = -EBADMSG;
	}
	if (r == -EBADMSG &&
	    plog_reader_init_blind(&g->reader, g->fd, g->segid) == 0) {
		r = 1;
	}
	if (r < 0) {
		return r;
	}
	g->has_reader = true;
	if (g->off == 0) {
		g->off = g->reader.off;
	}
	plog_reader_seek(&g->reader, g->off, 0);
	return r;
}
