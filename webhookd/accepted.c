#include "accepted.h"

#include "journal.h"
#include "map.h"

/* Bytes of records kept. */
#define KEPT_MAX (16u << 20)

struct entry {
	struct entry *newer, *older;
	uint64_t lsn;
	struct buf rec;
	struct event_accepted event;
};

static struct {
	struct map *by_lsn;
	struct entry *newest, *oldest;
	size_t bytes;
} cache;

void
accepted_start(void)
{
	cache.by_lsn = map_new();
}

static void
unlink_entry(struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &cache.newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &cache.oldest) = e->newer;
	e->newer = NULL;
	e->older = NULL;
}

static void
make_newest(struct entry *e)
{
	e->older = cache.newest;
	e->newer = NULL;
	*(cache.newest != NULL ? &cache.newest->newer : &cache.oldest) = e;
	cache.newest = e;
}

static size_t
cost(const struct entry *e)
{
	return sizeof(*e) + e->rec.cap;
}

static void
drop_oldest(void)
{
	struct entry *e = cache.oldest;

	unlink_entry(e);
	(void)map_del_u64(cache.by_lsn, e->lsn);
	cache.bytes -= cost(e);
	buf_fini(&e->rec);
	free(e);
}

void
accepted_stop(void)
{
	while (cache.oldest != NULL) {
		drop_oldest();
	}
	map_free(&cache.by_lsn, NULL);
}

enum journal_feed_status
accepted_read(uint64_t lsn, struct buf *buf, struct plog_record *out)
{
	uint32_t number = journal_lsn_number(lsn);
	int fd = -1;
	enum journal_feed_status status = journal_feed_file(number, &fd);

	if (status != JOURNAL_FEED_OK) {
		return status == JOURNAL_FEED_NONE ? JOURNAL_FEED_GONE : status;
	}
	if (plog_read_record(fd, journal_segid(number), journal_lsn_off(lsn),
		buf, out) < 0) {
		return JOURNAL_FEED_GONE;
	}
	return JOURNAL_FEED_OK;
}

static enum journal_feed_status
load(uint64_t lsn, struct entry **out)
{
	struct plog_record rec;
	struct entry *e = mem_alloc(sizeof(*e));
	enum journal_feed_status status = accepted_read(lsn, &e->rec, &rec);

	if (status == JOURNAL_FEED_OK &&
	    (rec.type != EVENT_accepted ||
		event_decode(
		    EVENT_accepted, rec.rec.p, rec.rec.len, &e->event) < 0)) {
		status = JOURNAL_FEED_GONE;
	}
	if (status != JOURNAL_FEED_OK) {
		buf_fini(&e->rec);
		free(e);
		return status;
	}
	e->lsn = lsn;
	*out = e;
	return JOURNAL_FEED_OK;
}

enum journal_feed_status
accepted_get(uint64_t lsn, const struct event_accepted **out)
{
	struct entry *e = map_get_u64(cache.by_lsn, lsn);
	enum journal_feed_status status;

	if (e != NULL) {
		unlink_entry(e);
		make_newest(e);
		*out = &e->event;
		return JOURNAL_FEED_OK;
	}
	status = load(lsn, &e);
	if (status != JOURNAL_FEED_OK) {
		return status;
	}
	cache.bytes += cost(e);
	make_newest(e);
	(void)map_put_u64(cache.by_lsn, lsn, e);
	while (cache.bytes > KEPT_MAX && cache.oldest != e) {
		drop_oldest();
	}
	*out = &e->event;
	return JOURNAL_FEED_OK;
}
