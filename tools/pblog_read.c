#include "pblog_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "journal.h"

/* Accepted events kept, and files held open to read them from. */
#define KEPT 1024
#define FILES 16
/* No index is larger: it is a hundredth of its file. */
#define INDEX_MAX (64 * 1024 * 1024)

struct kept {
	uint64_t lsn;
	struct buf rec;
	struct event_accepted event;
};

struct open_file {
	uint32_t number;
	int fd; /* -1: none */
};

struct pblog_read {
	int dir;
	uint32_t *numbers; /* of the files, rising */
	size_t n_numbers, cap;
	size_t at; /* the file that is read */
	bool is_entered;
	struct plog_reader reader;
	int fd;		/* of it; -1: not open */
	bool has_index; /* of it */
	struct buf index_text;
	struct journal_index index;
	uint32_t stretch; /* looked at next */
	uint64_t end;	  /* of the one that is read; 0: none is */
	struct pblog_wishes wishes;
	struct pblog_stats stats;
	uint64_t damaged;
	struct open_file files[FILES];
	struct kept kept[KEPT];
};

static bool
wants_batch(void *arg, struct str records)
{
	(void)arg;
	(void)records;
	return true;
}

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a;
	const uint32_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
list_files(struct pblog_read *r)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL) {
		return -errno;
	}
	r->n_numbers = 0;
	while ((e = readdir(d)) != NULL) {
		uint32_t number;

		if (journal_name_parse(str_of(e->d_name), &number) < 0) {
			continue;
		}
		if (r->n_numbers == r->cap) {
			r->cap = r->cap != 0 ? r->cap * 2 : 64;
			r->numbers = mem_resize(
			    r->numbers, r->cap * sizeof(*r->numbers));
		}
		r->numbers[r->n_numbers++] = number;
	}
	(void)closedir(d);
	if (r->n_numbers != 0) {
		qsort(r->numbers, r->n_numbers, sizeof(*r->numbers), by_number);
	}
	return 0;
}

int
pblog_open(const char *spool, struct pblog_read **out)
{
	struct pblog_read *r = mem_alloc(sizeof(*r));
	char path[4096];
	int e;

	r->fd = -1;
	r->wishes.batch = wants_batch;
	for (size_t i = 0; i < FILES; i++) {
		r->files[i].fd = -1;
	}
	(void)snprintf(path, sizeof(path), "%s/jrn", spool);
	r->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e = r->dir < 0 ? -errno : list_files(r);
	if (e < 0) {
		pblog_close(&r);
		return e;
	}
	*out = r;
	return 0;
}

void
pblog_wish(struct pblog_read *r, const struct pblog_wishes *w)
{
	r->wishes = *w;
	if (w->batch == NULL) {
		r->wishes.batch = wants_batch;
	}
}

static void
close_file(struct pblog_read *r)
{
	if (r->fd >= 0) {
		plog_reader_fini(&r->reader);
		(void)close(r->fd);
		r->fd = -1;
	}
}

static void
leave_file(struct pblog_read *r)
{
	close_file(r);
	r->is_entered = false;
	r->has_index = false;
	r->stretch = 0;
	r->end = 0;
}

void
pblog_close(struct pblog_read **at)
{
	struct pblog_read *r = *at;

	if (r == NULL) {
		return;
	}
	leave_file(r);
	for (size_t i = 0; i < FILES; i++) {
		if (r->files[i].fd >= 0) {
			(void)close(r->files[i].fd);
		}
	}
	for (size_t i = 0; i < KEPT; i++) {
		buf_fini(&r->kept[i].rec);
	}
	if (r->dir >= 0) {
		(void)close(r->dir);
	}
	buf_fini(&r->index_text);
	free(r->numbers);
	free(r);
	*at = NULL;
}

static int
open_number(const struct pblog_read *r, uint32_t number)
{
	char name[JOURNAL_NAME_SIZE];

	journal_name(number, name);
	return openat(r->dir, name, O_RDONLY | O_CLOEXEC);
}

/* False when the file has no batch (yet) or is not ours to read. */
static bool
open_file(struct pblog_read *r)
{
	r->fd = open_number(r, r->numbers[r->at]);
	if (r->fd < 0) {
		return false;
	}
	if (plog_reader_init(&r->reader, r->fd) < 0) {
		(void)close(r->fd);
		r->fd = -1;
		return false;
	}
	(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r->stats.opened++;
	return true;
}

const uint32_t *
pblog_files(const struct pblog_read *r, size_t *n)
{
	*n = r->n_numbers;
	return r->numbers;
}

static int
read_whole(int fd, struct buf *out)
{
	struct stat st;
	uint8_t *p;
	size_t got = 0;

	out->len = 0;
	if (fstat(fd, &st) < 0 || st.st_size > INDEX_MAX) {
		return -EBADMSG;
	}
	p = buf_reserve(out, (size_t)st.st_size + 1);
	while (got < (size_t)st.st_size) {
		ssize_t n = read(fd, p + got, (size_t)st.st_size - got);

		if (n <= 0) {
			return -EBADMSG;
		}
		got += (size_t)n;
	}
	out->len = got;
	return 0;
}

bool
pblog_index(struct pblog_read *r, uint32_t number, struct buf *text,
    struct journal_index *out)
{
	char name[JOURNAL_NAME_SIZE];
	autoclose int fd = -1;

	journal_index_name(number, name);
	fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read_whole(fd, text) == 0 &&
	    journal_index_open(buf_str(text), number, out) == 0;
}

/* One that is empty, made for later or unreadable, tells nothing. */
static bool
begins_before(struct pblog_read *r, size_t i, uint64_t time_us)
{
	bool before = false;

	r->at = i;
	if (pblog_index(r, r->numbers[i], &r->index_text, &r->index)) {
		return r->index.first_us <= time_us;
	}
	if (open_file(r)) {
		if (plog_reader_batch(&r->reader, UINT64_MAX) == 1) {
			before = r->reader.batch_time_us <= time_us;
		}
		leave_file(r);
	}
	return before;
}

void
pblog_seek_time(struct pblog_read *r, uint64_t time_us)
{
	size_t low = 0;
	size_t high = r->n_numbers;

	leave_file(r);
	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (begins_before(r, middle, time_us)) {
			low = middle;
		} else {
			high = middle;
		}
	}
	r->at = low;
}

/* A newer file may have come since the directory was read. */
static bool
has_next_file(struct pblog_read *r)
{
	uint32_t number;

	if (r->at + 1 < r->n_numbers) {
		return true;
	}
	if (r->n_numbers == 0) {
		return list_files(r) == 0 && r->n_numbers != 0;
	}
	number = r->numbers[r->at];
	if (list_files(r) < 0) {
		return false;
	}
	for (size_t i = 0; i < r->n_numbers; i++) {
		if (r->numbers[i] >= number) {
			r->at = i;
			return r->numbers[i] > number || i + 1 < r->n_numbers;
		}
	}
	return false;
}

/* The next batch of the file that is open: 1; 0: none, or torn. */
static int
next_batch(struct pblog_read *r)
{
	for (;;) {
		int e = plog_reader_batch(&r->reader, UINT64_MAX);
		uint64_t n;

		if (e != -EUCLEAN) {
			return e == 1;
		}
		n = plog_reader_skip(&r->reader);
		r->damaged += n;
		if (n == 0) {
			return 0;
		}
	}
}

/* Goes to the next stretch that is wanted. False: there is none. */
static bool
next_stretch(struct pblog_read *r)
{
	while (r->stretch < r->index.n) {
		struct journal_stretch s;

		journal_index_stretch(&r->index, r->stretch, &s);
		r->stretch++;
		if (!r->wishes.stretch(r->wishes.arg, r->numbers[r->at], &s)) {
			continue;
		}
		if (r->fd < 0 && !open_file(r)) {
			return false;
		}
		plog_reader_seek(&r->reader, s.off, 0);
		r->end = s.end;
		return true;
	}
	return false;
}

static int
next_indexed(struct pblog_read *r)
{
	for (;;) {
		/* Behind damage it may have gone on in a later stretch. */
		if (r->end != 0 && r->reader.off < r->end &&
		    next_batch(r) == 1 && r->reader.batch_off < r->end) {
			return 1;
		}
		r->reader.left = 0;
		r->end = 0;
		if (!next_stretch(r)) {
			return 0;
		}
	}
}

/* The next batch that is wanted of the file that reading has come to. */
static int
next_here(struct pblog_read *r)
{
	if (!r->is_entered) {
		r->is_entered = true;
		r->has_index = r->wishes.stretch != NULL &&
		    pblog_index(
			r, r->numbers[r->at], &r->index_text, &r->index);
		r->stats.files++;
		r->stats.indexed += r->has_index;
	}
	for (;;) {
		int e;

		if (r->has_index) {
			e = next_indexed(r);
		} else {
			e = (r->fd >= 0 || open_file(r)) && next_batch(r) == 1;
		}
		if (e != 1) {
			return 0;
		}
		r->stats.bytes += r->reader.batch_end - r->reader.batch_off;
		if (r->wishes.batch(
			r->wishes.arg, plog_reader_records(&r->reader))) {
			return 1;
		}
		r->reader.left = 0;
	}
}

/* 1: a batch is there; 0: the end for now. */
static int
advance(struct pblog_read *r)
{
	for (;;) {
		uint32_t number;

		if (r->n_numbers == 0 && !has_next_file(r)) {
			return 0;
		}
		number = r->numbers[r->at];
		if (next_here(r) == 1) {
			return 1;
		}
		if (!has_next_file(r)) {
			return 0;
		}
		/* Something may have come before the next file was begun. */
		if (r->numbers[r->at] == number && next_here(r) == 1) {
			return 1;
		}
		leave_file(r);
		if (r->numbers[r->at] == number) {
			r->at++;
		}
	}
}

int
pblog_next(struct pblog_read *r, struct pblog_record *out)
{
	struct plog_record rec;

	while (r->fd < 0 || !plog_reader_record(&r->reader, &rec)) {
		if (advance(r) == 0) {
			return 0;
		}
	}
	*out = (struct pblog_record){ .lsn = journal_lsn(
					  (uint32_t)r->reader.segid, rec.off),
		.batch_time_us = r->reader.batch_time_us,
		.type = rec.type,
		.rec = rec.rec };
	return 1;
}

uint64_t
pblog_damaged(const struct pblog_read *r)
{
	return r->damaged;
}

const struct pblog_stats *
pblog_stats(const struct pblog_read *r)
{
	return &r->stats;
}

static int
file_of(struct pblog_read *r, uint32_t number)
{
	struct open_file *f = &r->files[number % FILES];

	if (f->fd >= 0 && f->number == number) {
		return f->fd;
	}
	if (f->fd >= 0) {
		(void)close(f->fd);
	}
	f->number = number;
	f->fd = open_number(r, number);
	r->stats.joined += f->fd >= 0;
	return f->fd;
}

const struct event_accepted *
pblog_accepted(struct pblog_read *r, uint64_t lsn)
{
	uint32_t number = journal_lsn_number(lsn);
	struct kept *k = &r->kept[(lsn ^ lsn >> 10 ^ lsn >> 20) % KEPT];
	struct plog_record rec;
	int fd;

	if (lsn == 0) {
		return NULL;
	}
	if (k->lsn == lsn) {
		return &k->event;
	}
	fd = file_of(r, number);
	k->lsn = 0;
	if (fd < 0 ||
	    plog_read_record(fd, journal_segid(number), journal_lsn_off(lsn),
		&k->rec, &rec) < 0 ||
	    rec.type != EVENT_accepted ||
	    event_decode(EVENT_accepted, rec.rec.p, rec.rec.len, &k->event) <
		0) {
		return NULL;
	}
	k->lsn = lsn;
	return &k->event;
}
