#include "store_filter_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "crc32c.h"

#define MAGIC "pbfilt1\n"
#define HEAD_BYTES 4096u /* in front of the bits */
#define PIECE_WORDS 8192u
/* Removed keys are no matter while there are so few, or fewer than a quarter
 * of those that were added. */
#define REMOVED_FEW 1000u

/* In the machine's own byte order: made by another kind of machine, it is not
 * believed. The checksum is of what stands before it. */
struct head {
	char magic[8];
	uint64_t size; /* bytes of bits */
	uint64_t generation;
	uint64_t file[3]; /* which file it was in use in: see identify */
	uint64_t added;	  /* keys, when it was written last */
	uint64_t removed;
	uint32_t is_complete;
	uint32_t is_closed; /* all of it was synced, nothing written since */
	char boot[64];
	uint32_t crc;
	uint32_t unused;
};

struct store_filter_file {
	int fd;
	char *path;
	struct head head;
};

/* A copy is not what was in use: it may be older than its database. */
static int
identify(int fd, uint64_t *file)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0) {
		return -errno;
	}
	file[0] = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	file[1] = st.stx_ino;
	file[2] = (st.stx_mask & STATX_BTIME) != 0
	    ? (uint64_t)st.stx_btime.tv_sec * 1000000000u + st.stx_btime.tv_nsec
	    : 0;
	return 0;
}

static int
write_at(int fd, const void *p, size_t n, uint64_t at)
{
	ssize_t done = pwrite(fd, p, n, (off_t)at);

	if (done < 0) {
		return -errno;
	}
	return (size_t)done == n ? 0 : -ENOSPC;
}

static int
put_head(struct store_filter_file *file)
{
	struct head *h = &file->head;

	h->crc = crc32c(0, h, offsetof(struct head, crc));
	return write_at(file->fd, h, sizeof(*h), 0);
}

static bool
is_good(const struct store_filter_file *file, const struct head *h,
    const char *boot, uint64_t generation)
{
	bool is_same_life = h->is_closed ||
	    (boot[0] != '\0' &&
		strncmp(h->boot, boot, sizeof(h->boot) - 1) == 0 &&
		memcmp(h->file, file->head.file, sizeof(h->file)) == 0);

	return memcmp(h->magic, MAGIC, sizeof(h->magic)) == 0 &&
	    h->crc == crc32c(0, h, offsetof(struct head, crc)) &&
	    h->size == file->head.size && h->is_complete != 0 &&
	    generation != 0 && h->generation == generation && is_same_life &&
	    (h->removed < REMOVED_FEW || h->removed < h->added / 4);
}

/* Reads all bits; false when the file is too short, or cannot be read. */
static bool
load(int fd, uint64_t size, struct store_filter *f)
{
	uint64_t *words = mem_alloc(PIECE_WORDS * sizeof(*words));
	bool is_read = true;

	for (uint64_t at = 0; is_read && at < size;) {
		uint64_t left = size - at;
		size_t n = left < PIECE_WORDS * sizeof(*words)
		    ? (size_t)left
		    : PIECE_WORDS * sizeof(*words);

		is_read =
		    pread(fd, words, n, (off_t)(HEAD_BYTES + at)) == (ssize_t)n;
		if (is_read) {
			store_filter_load(f, at, words, n / sizeof(*words));
		}
		at += n;
	}
	free(words);
	return is_read;
}

/* From now on only this process knows what is in it: a machine that goes down
 * must not leave a file that looks closed. */
static int
take(struct store_filter_file *file)
{
	bool was_closed = file->head.is_closed != 0;
	int r;

	file->head.is_closed = 0;
	r = put_head(file);
	return r == 0 && was_closed && fdatasync(file->fd) < 0 ? -errno : r;
}

/* The new generation is durable in the database before the old file is gone for
 * good, or after: they do not fit either way. */
static int
begin(struct store_filter_file *file)
{
	struct head *h = &file->head;

	memcpy(h->magic, MAGIC, sizeof(h->magic));
	if (RAND_bytes(
		(unsigned char *)&h->generation, sizeof(h->generation)) != 1) {
		return -EIO;
	}
	h->generation |= 1; /* never 0 */
	if (ftruncate(file->fd, 0) < 0 ||
	    ftruncate(file->fd, (off_t)(HEAD_BYTES + h->size)) < 0) {
		return -errno;
	}
	return take(file);
}

static void
file_free(struct store_filter_file *file)
{
	if (file->fd >= 0) {
		(void)close(file->fd);
	}
	free(file->path);
	free(file);
}

int
store_filter_file_open(const char *path, const char *boot, uint64_t generation,
    struct store_filter *f, struct store_filter_file **out)
{
	struct store_filter_file *file = mem_alloc(sizeof(*file));
	struct head h;
	bool is_there;
	int r;

	file->path = mem_strdup(path);
	file->head.size = store_filter_size(f);
	snprintf(file->head.boot, sizeof(file->head.boot), "%s", boot);
	file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	r = file->fd < 0 ? -errno : identify(file->fd, file->head.file);
	is_there = r == 0 &&
	    pread(file->fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
	    is_good(file, &h, boot, generation) && load(file->fd, h.size, f);
	if (is_there) {
		memcpy(h.boot, file->head.boot, sizeof(h.boot));
		memcpy(h.file, file->head.file, sizeof(h.file));
		file->head = h;
		r = take(file);
	} else if (r == 0) {
		r = begin(file);
	}
	if (r < 0) {
		file_free(file);
		return r;
	}
	if (is_there) {
		store_filter_complete(f);
	}
	*out = file;
	return is_there;
}

uint64_t
store_filter_file_generation(const struct store_filter_file *file)
{
	return file->head.generation;
}

int
store_filter_file_put(
    struct store_filter_file *file, const struct store_filter *f, uint64_t at)
{
	uint64_t words[STORE_FILTER_BLOCK / sizeof(uint64_t)];

	file->head.added++;
	store_filter_save(f, at, words, array_len(words));
	return write_at(file->fd, words, sizeof(words), HEAD_BYTES + at);
}

int64_t
store_filter_file_put_piece(
    struct store_filter_file *file, const struct store_filter *f, uint64_t at)
{
	static const uint64_t none[STORE_FILTER_BLOCK / sizeof(uint64_t)];
	uint64_t words[PIECE_WORDS];
	uint64_t left = file->head.size - at;
	size_t n = left < sizeof(words) ? (size_t)left : sizeof(words);
	size_t i = 0;
	int r;

	store_filter_save(f, at, words, n / sizeof(*words));
	while (i < n && memcmp((char *)words + i, none, sizeof(none)) == 0) {
		i += sizeof(none);
	}
	/* What has no bits stays a hole. */
	r = i < n ? write_at(file->fd, words, n, HEAD_BYTES + at) : 0;
	return r < 0 ? r : (int64_t)n;
}

int
store_filter_file_complete(struct store_filter_file *file, uint64_t keys)
{
	file->head.added = keys;
	file->head.is_complete = 1;
	return put_head(file);
}

void
store_filter_file_note_removed(struct store_filter_file *file)
{
	file->head.removed++;
}

void
store_filter_file_close(struct store_filter_file **filep)
{
	struct store_filter_file *file = *filep;

	*filep = NULL;
	if (file == NULL) {
		return;
	}
	/* One that is not closed well is made anew at the next start. */
	if (fdatasync(file->fd) == 0) {
		file->head.is_closed = 1;
		if (put_head(file) == 0) {
			(void)fdatasync(file->fd);
		}
	}
	file_free(file);
}

void
store_filter_file_drop(struct store_filter_file **filep)
{
	struct store_filter_file *file = *filep;

	*filep = NULL;
	if (file != NULL) {
		/* Either makes it one that is not believed. */
		(void)!ftruncate(file->fd, 0);
		(void)unlink(file->path);
		file_free(file);
	}
}
