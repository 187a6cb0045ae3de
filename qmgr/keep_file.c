#include "keep_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "event.h"
#include "plog.h"
#include "plog_format.h"
#include "segs.h"
#include "uuid.h"

#define FOLDER "keep"
#define NAME_SIZE 64
#define PIECE (64 * 1024)
/* Messages that are over in the same hour share a file. */
#define HOUR_S 3600
#define GROUPS_MAX 64

/* ---- rules -------------------------------------------------------------- */

int
keep_rule_compare(const void *a, const void *b)
{
	const struct keep_rule *x = a;
	const struct keep_rule *y = b;

	if (x->account != y->account) {
		return x->account < y->account ? -1 : 1;
	}
	return x->subaccount < y->subaccount ? -1
					     : x->subaccount > y->subaccount;
}

static uint32_t
keep_s(const struct keep_segment_job *job, const struct event_accepted *e)
{
	struct keep_rule key = { e->account, e->subaccount, 0 };
	const struct keep_rule *r =
	    bsearch(&key, job->rules, job->n, sizeof(key), keep_rule_compare);

	if (r == NULL && e->subaccount != 0) {
		key.subaccount = 0;
		r = bsearch(
		    &key, job->rules, job->n, sizeof(key), keep_rule_compare);
	}
	return r != NULL ? r->keep_s : 0;
}

/* ---- copying ------------------------------------------------------------ */

/* A file being made: the segment with holes where others' mail was. */
struct group {
	uint64_t until_s;
	char name[NAME_SIZE]; /* without its ending */
	int fd;
	struct buf index;
};

struct copy {
	const struct keep_segment_job *job;
	int from;
	struct group groups[GROUPS_MAX];
	size_t n;
};

static int
write_at(int fd, const char *p, size_t n, uint64_t off)
{
	while (n > 0) {
		ssize_t w = pwrite(fd, p, n, (off_t)off);

		if (w < 0) {
			return -errno;
		}
		p += w;
		n -= (size_t)w;
		off += (uint64_t)w;
	}
	return 0;
}

/* To the same place. */
static int
copy_bytes(int from, int to, uint64_t off, uint64_t len)
{
	char piece[PIECE];

	while (len > 0) {
		size_t want = len < sizeof(piece) ? len : sizeof(piece);
		ssize_t n = pread(from, piece, want, (off_t)off);
		int r;

		if (n <= 0) {
			return n < 0 ? -errno : -EBADMSG;
		}
		r = write_at(to, piece, (size_t)n, off);
		if (r < 0) {
			return r;
		}
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int
create(const char *name, const char *ending)
{
	char path[NAME_SIZE + 16];

	(void)snprintf(path, sizeof(path), "%s%s.new", name, ending);
	return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
}

static int
group_of(struct copy *c, uint64_t until_s, struct group **out)
{
	uint64_t hour_s = (until_s / HOUR_S + 1) * HOUR_S;
	struct group *g = c->groups;

	while (g < c->groups + c->n && g->until_s != hour_s) {
		g++;
	}
	*out = g;
	if (g < c->groups + c->n) {
		return 0;
	}
	if (c->n == GROUPS_MAX) {
		*out = g - 1; /* rather too long than not at all */
		return 0;
	}
	*g = (struct group){ .until_s = hour_s };
	(void)snprintf(g->name, sizeof(g->name),
	    FOLDER "/%010" PRIx64 "-%016" PRIx64, hour_s, c->job->segid);
	g->fd = create(g->name, ".seg");
	if (g->fd < 0) {
		return -errno;
	}
	c->n++;
	return copy_bytes(c->from, g->fd, 0, PLOG_FILE_HEADER);
}

static int
copy_message(struct copy *c, const struct plog_record *rec,
    const struct uuid *id, uint64_t until_s)
{
	struct group *g;
	char text[UUID_TEXT_SIZE];
	int r = group_of(c, until_s, &g);

	if (r == 0) {
		r = copy_bytes(c->from, g->fd, rec->off,
		    sizeof(struct plog_record_header) + rec->rec.len);
	}
	if (r == 0) {
		r = copy_bytes(
		    c->from, g->fd, rec->content_off, rec->content_len);
	}
	if (r == 0) {
		uuid_print(id, text);
		buf_printf(&g->index, "%s %" PRIu64 " %" PRIu64 "\n", text,
		    rec->off, rec->content_off);
	}
	return r;
}

static int
copy_record(struct copy *c, const struct plog_record *rec)
{
	union {
		struct event_accepted accepted;
		uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	} e;
	uint64_t until_s;

	if (rec->type != EVENT_accepted ||
	    event_decode(rec->type, rec->rec.p, rec->rec.len, &e) < 0) {
		return 0;
	}
	until_s = keep_s(c->job, &e.accepted);
	if (until_s == 0) {
		return 0;
	}
	until_s += e.accepted.time_us / US_PER_S;
	if (until_s <= c->job->now_s) {
		return 0;
	}
	return copy_message(c, rec, &e.accepted.msgid, until_s);
}

static int
copy_all(struct copy *c)
{
	struct plog_reader r = { 0 };
	struct plog_record rec;
	int e = plog_reader_init(&r, c->from);

	if (e == -ENODATA) {
		return 0; /* it never had mail */
	}
	while (e == 0) {
		e = plog_reader_batch(&r, UINT64_MAX);
		if (e == -EUCLEAN && plog_reader_skip(&r) != 0) {
			e = 0;
			continue;
		}
		if (e != 1) {
			e = e == -EUCLEAN ? 0 : e;
			break;
		}
		e = 0;
		while (e == 0 && plog_reader_record(&r, &rec)) {
			e = copy_record(c, &rec);
		}
	}
	plog_reader_fini(&r);
	return e;
}

static int
rename_new(const char *name, const char *ending)
{
	char to[NAME_SIZE + 16];
	char from[NAME_SIZE + 16];

	(void)snprintf(to, sizeof(to), "%s%s", name, ending);
	(void)snprintf(from, sizeof(from), "%s%s.new", name, ending);
	return rename(from, to) < 0 ? -errno : 0;
}

/* The index comes last: what it names is there. */
static int
finish(struct group *g)
{
	autoclose int fd = create(g->name, ".idx");
	int r;

	if (fd < 0) {
		return -errno;
	}
	r = write_at(fd, (const char *)g->index.p, g->index.len, 0);
	if (r < 0) {
		return r;
	}
	if (fsync(g->fd) < 0 || fsync(fd) < 0) {
		return -errno;
	}
	r = rename_new(g->name, ".seg");
	return r < 0 ? r : rename_new(g->name, ".idx");
}

static int
sync_folder(void)
{
	autoclose int fd = open(FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int
keep_segment_work(void *arg)
{
	struct copy *c = mem_alloc(sizeof(*c));
	char path[SEG_PATH_SIZE];
	int r = 0;

	c->job = arg;
	seg_path(c->job->segid, path);
	c->from = open(path, O_RDONLY | O_CLOEXEC);
	if (c->from >= 0) {
		r = copy_all(c);
		(void)close(c->from);
	} else if (errno != ENOENT) {
		r = -errno;
	}
	for (size_t i = 0; i < c->n; i++) {
		if (r == 0) {
			r = finish(&c->groups[i]);
		}
		(void)close(c->groups[i].fd);
		buf_fini(&c->groups[i].index);
	}
	if (r == 0 && c->n != 0) {
		r = sync_folder();
	}
	free(c);
	return r;
}

int
keep_big_work(void *arg)
{
	const struct keep_big_job *job = arg;
	char from[SEG_PATH_SIZE];
	char to[NAME_SIZE];
	uint64_t hour_s = (job->until_s / HOUR_S + 1) * HOUR_S;

	big_path(job->number, from);
	(void)snprintf(to, sizeof(to),
	    FOLDER "/%010" PRIx64 "-%016" PRIx64 ".msg", hour_s, job->number);
	if (rename(from, to) < 0 && errno != ENOENT) {
		return -errno;
	}
	return sync_folder();
}

/* ---- removing ----------------------------------------------------------- */

struct kept {
	uint64_t until_s;
	uint64_t bytes;
	char name[NAME_SIZE];
};

static int
by_time(const void *a, const void *b)
{
	const struct kept *x = a;
	const struct kept *y = b;

	return x->until_s < y->until_s ? -1 : x->until_s > y->until_s;
}

static void
list_files(DIR *d, struct buf *out)
{
	struct dirent *e;
	struct kept k;
	struct stat st;
	char dash;

	while ((e = readdir(d)) != NULL) {
		if (strlen(e->d_name) >= sizeof(k.name) ||
		    sscanf(e->d_name, "%10" SCNx64 "%c", &k.until_s, &dash) !=
			2 ||
		    dash != '-' ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) <
			0) {
			continue;
		}
		k.bytes = (uint64_t)st.st_blocks * 512;
		(void)snprintf(k.name, sizeof(k.name), "%s", e->d_name);
		buf_add(out, &k, sizeof(k));
	}
}

int
keep_sweep_work(void *arg)
{
	const struct keep_sweep_job *job = arg;
	struct buf files = { 0 };
	DIR *d = opendir(FOLDER);
	uint64_t total = 0;
	struct kept *k;
	size_t n;
	int early = 0;

	if (d == NULL) {
		return errno == ENOENT ? 0 : -errno;
	}
	list_files(d, &files);
	k = (struct kept *)(void *)files.p;
	n = files.len / sizeof(*k);
	for (size_t i = 0; i < n; i++) {
		total += k[i].bytes;
	}
	if (n != 0) {
		qsort(k, n, sizeof(*k), by_time);
	}
	for (size_t i = 0; i < n; i++) {
		bool is_over = k[i].until_s <= job->now_s;

		if (!is_over && total <= job->limit) {
			break;
		}
		(void)unlinkat(dirfd(d), k[i].name, 0);
		total -= k[i].bytes;
		early += !is_over;
	}
	(void)closedir(d);
	buf_fini(&files);
	return early;
}
