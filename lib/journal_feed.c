#include "journal_feed.h"

#include "buf.h"
#include "clock.h"
#include "journal.h"
#include "map.h"
#include "service.h"

/* Descriptors kept; qmgr gives a file again when it is asked. */
#define FILES_MAX 256

struct file {
	uint32_t number;
	int fd;	       /* -1: asked for */
	bool is_none;  /* there is no such file, and was none */
	uint64_t used; /* feed.turn of its last use */
};

static struct feed {
	struct map *files; /* by number */
	uint64_t turn;
	uint64_t durable;
	uint32_t oldest;
	uint32_t newest; /* the file that qmgr told of last */
	void (*changed)(void);
} feed;

static void
file_free(void *p)
{
	struct file *f = p;

	if (f->fd >= 0) {
		(void)close(f->fd);
	}
	free(f);
}

void
journal_feed_start(void (*changed)(void))
{
	feed.files = map_new();
	feed.changed = changed;
}

void
journal_feed_stop(void)
{
	map_free(&feed.files, file_free);
	feed = (struct feed){ .files = NULL };
}

uint64_t
journal_feed_durable(void)
{
	return feed.durable;
}

bool
journal_feed_has_file(uint32_t number)
{
	return journal_lsn(number, 0) < feed.durable;
}

uint32_t
journal_feed_oldest(void)
{
	return feed.oldest;
}

static void
forget_file(uint32_t number)
{
	struct file *f = map_del_u64(feed.files, number);

	if (f != NULL) {
		file_free(f);
	}
}

/* Keeps the number of open files bounded: the one unused longest goes. */
static void
make_room(void)
{
	struct file *victim = NULL;
	size_t at = 0;
	struct str key;
	void *value;

	if (map_len(feed.files) < FILES_MAX) {
		return;
	}
	while (map_next(feed.files, &at, &key, &value)) {
		struct file *f = value;

		if (f->fd >= 0 && (victim == NULL || f->used < victim->used)) {
			victim = f;
		}
	}
	if (victim != NULL) {
		forget_file(victim->number);
	}
}

static void
ask(uint32_t number)
{
	const struct ipc_journal_want want = { .number = number };
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);

	if (qmgr != NULL) {
		(void)peer_send(qmgr, IPC_journal_want, 0, &want);
	}
}

enum journal_feed_status
journal_feed_file(uint32_t number, int *fd)
{
	struct file *f = map_get_u64(feed.files, number);

	if (number < feed.oldest) {
		return JOURNAL_FEED_GONE;
	}
	if (f == NULL) {
		make_room();
		f = mem_alloc(sizeof(*f));
		f->number = number;
		f->fd = -1;
		(void)map_put_u64(feed.files, number, f);
		ask(number);
	}
	f->used = ++feed.turn;
	if (f->fd < 0) {
		return f->is_none ? JOURNAL_FEED_NONE : JOURNAL_FEED_WAIT;
	}
	*fd = f->fd;
	return JOURNAL_FEED_OK;
}

/*
 * There is no such file. qmgr skips a number at its start, when it had made a
 * file and written nothing to it; only files before its oldest were removed.
 */
static void
on_missing(const struct ipc_journal_file *m)
{
	struct file *f = map_get_u64(feed.files, m->number);

	/* The newest may not have been made yet. */
	if (f == NULL || m->number >= journal_lsn_number(feed.durable) ||
	    m->number < feed.oldest) {
		forget_file(m->number);
		return;
	}
	f->is_none = true;
	feed.changed();
}

void
journal_feed_on_file(const struct ipc_journal_file *m, int fd)
{
	struct file *f;

	if (m->oldest > feed.oldest) {
		feed.oldest = m->oldest;
	}
	if (m->is_missing || fd < 0) {
		if (fd >= 0) {
			(void)close(fd);
		}
		on_missing(m);
		return;
	}
	f = map_get_u64(feed.files, m->number);
	if (f == NULL) {
		make_room();
		f = mem_alloc(sizeof(*f));
		f->number = m->number;
		(void)map_put_u64(feed.files, m->number, f);
	} else if (f->fd >= 0) {
		(void)close(f->fd);
	}
	f->fd = fd;
	f->is_none = false;
	f->used = ++feed.turn;
	feed.newest = m->number > feed.newest ? m->number : feed.newest;
	feed.changed();
}

void
journal_feed_on_durable(const struct ipc_journal_durable *m)
{
	uint64_t lsn = m->lsn;

	if (m->oldest > feed.oldest) {
		feed.oldest = m->oldest;
	}
	/* A qmgr that has written nothing yet: the files before its first are
	 * complete. */
	if (lsn == 0 && feed.newest != 0) {
		lsn = journal_lsn(feed.newest, 0);
	}
	if (lsn > feed.durable) {
		feed.durable = lsn;
	}
	feed.changed();
}

void
journal_feed_on_qmgr(void)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(feed.files, &at, &key, &value)) {
		struct file *f = value;

		if (f->fd < 0 && !f->is_none) {
			ask(f->number);
		}
	}
}
