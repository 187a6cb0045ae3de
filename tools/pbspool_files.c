#include "pbspool_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ckp.h"
#include "journal.h"
#include "str.h"
#include "uuid.h"

#define WRITERS 256u

/* What is being listed. */
struct listing {
	struct pbspool_files *files;
	struct buf *where; /* that could not be read */
};

void
pbspool_segment_path(uint64_t segid, char *dst)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(segid, name);
	(void)snprintf(
	    dst, PBSPOOL_PATH_SIZE, "msg/%u/%s", (unsigned)(segid >> 56), name);
}

void
pbspool_big_path(uint64_t number, char *dst)
{
	(void)snprintf(
	    dst, PBSPOOL_PATH_SIZE, "big/%016" PRIx64 ".msg", number);
}

/* ---- names -------------------------------------------------------------- */

/*
 * The kind and number that a name in the folder stands for. A name counts
 * only if it is what we would have written.
 */
static void
recognise(const char *folder, const char *name, struct pbspool_file *f)
{
	char own[PBSPOOL_PATH_SIZE] = "";
	uint32_t number;
	unsigned writer;

	f->kind = PBSPOOL_OTHER;
	if (sscanf(folder, "msg/%3u", &writer) == 1 && writer < WRITERS &&
	    segment_name_parse((uint8_t)writer, str_of(name), &f->id) == 0) {
		f->kind = PBSPOOL_SEGMENT;
		pbspool_segment_path(f->id, own);
	} else if (strcmp(folder, "big") == 0 &&
	    sscanf(name, "%16" SCNx64 ".msg", &f->id) == 1) {
		f->kind = PBSPOOL_BIG;
		pbspool_big_path(f->id, own);
	} else if (strcmp(folder, "jrn") == 0 &&
	    journal_name_parse(str_of(name), &number) == 0) {
		f->kind = PBSPOOL_JOURNAL;
		f->id = number;
		(void)snprintf(own, sizeof(own), "%s", f->path);
	} else if (strcmp(folder, "ckp") == 0 &&
	    sscanf(name, "%8" SCNx32 ".ckp", &number) == 1) {
		f->kind = PBSPOOL_CHECKPOINT;
		f->id = number;
		ckp_path(number, own);
	}
	if (strcmp(own, f->path) != 0) {
		f->kind = PBSPOOL_OTHER;
	}
}

static void
add(struct listing *l, const struct pbspool_file *f)
{
	struct pbspool_files *files = l->files;

	if ((files->n & (files->n - 1)) == 0) {
		size_t room = files->n == 0 ? 1 : files->n * 2;

		files->all = mem_resize(files->all, room * sizeof(*f));
	}
	files->all[files->n++] = *f;
}

static void
take_name(struct listing *l, int dir, const char *folder, const char *name)
{
	struct pbspool_file f = { .kind = PBSPOOL_OTHER };
	char path[NAME_MAX + 16];
	struct stat st;

	if (strcmp(folder, "ckp") == 0 && strncmp(name, "CURRENT", 7) == 0) {
		return; /* CURRENT, and CURRENT.new before it */
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return; /* removed meanwhile */
	}
	f.size = (uint64_t)st.st_size;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	str_safe(f.path, sizeof(f.path), str_of(path));
	if (S_ISREG(st.st_mode)) {
		recognise(folder, name, &f);
	}
	add(l, &f);
}

/* Each name in the folder. 0 or -errno. */
static int
list_folder(struct listing *l, const char *folder)
{
	int fd =
	    openat(l->files->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int error = errno;

	if (d == NULL) {
		if (fd >= 0) {
			(void)close(fd);
		}
		buf_puts(l->where, folder);
		return -error;
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0) {
			take_name(l, fd, folder, e->d_name);
		}
	}
	(void)closedir(d);
	return 0;
}

/* msg/ has a folder for each writer that ever was. */
static int
list_segments(struct listing *l)
{
	char folder[16];
	int r = 0;

	for (unsigned w = 0; w < WRITERS && r == 0; w++) {
		(void)snprintf(folder, sizeof(folder), "msg/%u", w);
		if (faccessat(l->files->dir, folder, F_OK, 0) == 0 ||
		    errno != ENOENT) {
			r = list_folder(l, folder);
		}
	}
	return r;
}

static int
by_kind_and_id(const void *a, const void *b)
{
	const struct pbspool_file *x = a;
	const struct pbspool_file *y = b;

	if (x->kind != y->kind) {
		return x->kind < y->kind ? -1 : 1;
	}
	if (x->id != y->id) {
		return x->id < y->id ? -1 : 1;
	}
	return strcmp(x->path, y->path);
}

/* ---- the list ----------------------------------------------------------- */

int
pbspool_files_list(int dir, struct pbspool_files *out, struct buf *where)
{
	static const char *const folders[] = { "ckp", "jrn", "big" };
	struct listing l = { out, where };
	int r;

	*out = (struct pbspool_files){ .dir = dir };
	if (faccessat(dir, "msg", F_OK, 0) < 0 &&
	    faccessat(dir, "jrn", F_OK, 0) < 0) {
		return -errno;
	}
	r = list_segments(&l);
	for (size_t i = 0; i < array_len(folders) && r == 0; i++) {
		if (faccessat(dir, folders[i], F_OK, 0) == 0 ||
		    errno != ENOENT) {
			r = list_folder(&l, folders[i]);
		}
	}
	if (r == 0 && out->n != 0) {
		qsort(out->all, out->n, sizeof(*out->all), by_kind_and_id);
	}
	return r;
}

void
pbspool_files_fini(struct pbspool_files *f)
{
	free(f->all);
	*f = (struct pbspool_files){ .dir = -1 };
}

const struct pbspool_file *
pbspool_files_of(
    const struct pbspool_files *f, enum pbspool_kind kind, size_t *n)
{
	const struct pbspool_file *first = NULL;

	*n = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (f->all[i].kind == kind) {
			first = *n == 0 ? &f->all[i] : first;
			(*n)++;
		}
	}
	return first;
}

const struct pbspool_file *
pbspool_files_find(
    const struct pbspool_files *f, enum pbspool_kind kind, uint64_t id)
{
	size_t from = 0;
	size_t to = f->n;

	while (from < to) {
		size_t at = from + (to - from) / 2;
		const struct pbspool_file *file = &f->all[at];

		if (file->kind == kind && file->id == id) {
			return file;
		}
		if (file->kind < kind ||
		    (file->kind == kind && file->id < id)) {
			from = at + 1;
		} else {
			to = at;
		}
	}
	return NULL;
}

int
pbspool_files_open(
    const struct pbspool_files *f, const struct pbspool_file *file)
{
	int fd = openat(f->dir, file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}
