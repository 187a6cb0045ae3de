/*
 * Power cuts, simulated: every write and sync of a writer is recorded; then
 * images of the file are made as a disk might show it after a cut: all that was
 * synced, and any subset of the 512-byte pieces of what was not. In no image an
 * acknowledged record is missing, and in none there is a byte that nobody
 * wrote.
 *
 * IMAGES and SEED in the environment change the number and the choice.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_loop.h"
#include "loop.h"
#include "plog.h"
#include "plog_format.h"
#include "uuid.h"

#define RECORDS 60
#define PIECE 512
#define OPS_MAX 1000
#define FILE_MAX_BYTES (1 << 20)

/* What the writer did to its file. */
struct op {
	bool is_sync;
	uint64_t off;
	size_t len;
	uint8_t *data;
};

static struct op ops[OPS_MAX];
static size_t n_ops;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* After which op a record was acknowledged; 0: never. */
static size_t acked_at[RECORDS];
static char contents[RECORDS][3000];
static uint64_t rng;

ssize_t __real_pwritev(int fd, const struct iovec *iov, int n, off_t off);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t off);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static void
note(struct op op)
{
	(void)pthread_mutex_lock(&lock);
	assert_true(n_ops < OPS_MAX);
	ops[n_ops++] = op;
	(void)pthread_mutex_unlock(&lock);
}

ssize_t
__wrap_pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	struct op op = { .off = (uint64_t)off };

	for (int i = 0; i < n; i++) {
		op.data = realloc(op.data, op.len + iov[i].iov_len + 1);
		memcpy(op.data + op.len, iov[i].iov_base, iov[i].iov_len);
		op.len += iov[i].iov_len;
	}
	note(op);
	return __real_pwritev(fd, iov, n, off);
}

int
__wrap_fdatasync(int fd)
{
	int r = __real_fdatasync(fd);

	note((struct op){ .is_sync = true });
	return r;
}

static uint64_t
next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

/* ---- a run of the writer ------------------------------------------------- */

static struct plog_writer *writer;
static char path[] = "powercut-XXXXXX";

static void
need_file(void *arg)
{
	static bool is_given;

	(void)arg;
	if (!is_given) {
		int fd = mkstemp(path);

		is_given = true;
		assert_true(fd >= 0);
		plog_writer_add_file(writer, fd, segment_id(3, 9, 1));
	}
}

static void
done(void *arg, int status, uint64_t segid, uint64_t off)
{
	size_t i = (size_t)(uintptr_t)arg;

	(void)segid;
	(void)off;
	assert_int_equal(status, 0);
	(void)pthread_mutex_lock(&lock);
	acked_at[i] = n_ops;
	(void)pthread_mutex_unlock(&lock);
}

static void
write_records(void)
{
	loop_init();
	writer = plog_writer_new(&(struct plog_config){ .kind = PLOG_MAIL,
	    .file_size = FILE_MAX_BYTES,
	    .batch_bytes = 20000,
	    .batch_records = 7,
	    .need_file = need_file });
	for (size_t i = 0; i < RECORDS; i++) {
		size_t len = next_random() % (sizeof(contents[i]) - 1);
		struct iovec iov = { contents[i], len };
		char rec[32];

		for (size_t k = 0; k < len; k++) {
			contents[i][k] = (char)('a' + (i + k) % 26);
		}
		(void)snprintf(rec, sizeof(rec), "record %zu %zu", i, len);
		assert_int_equal(plog_append(writer, 1, rec, strlen(rec), &iov,
				     1, done, (void *)(uintptr_t)i),
		    0);
		if (next_random() % 3 == 0) {
			fake_loop_settle();
		}
	}
	while (plog_writer_pending(writer) != 0) {
		fake_loop_settle();
	}
	plog_writer_free(&writer);
	(void)unlink(path);
}

/* ---- images -------------------------------------------------------------- */

/* Made in memory, so that an image is one write and not one for each piece. */
static uint8_t image[FILE_MAX_BYTES];
static size_t image_len;

static void
apply(const struct op *op, size_t from, size_t len)
{
	size_t end = op->off + from + len;

	assert_true(end <= sizeof(image));
	memcpy(image + op->off + from, op->data + from, len);
	image_len = end > image_len ? end : image_len;
}

/* The file as it may be after a cut between op cut - 1 and op cut. */
static void
make_image(int fd, size_t cut)
{
	size_t synced = 0;

	memset(image, 0, image_len);
	image_len = 0;
	for (size_t i = 0; i < cut; i++) {
		synced = ops[i].is_sync ? i : synced;
	}
	for (size_t i = 0; i < cut; i++) {
		const struct op *op = &ops[i];
		unsigned keep = (unsigned)(next_random() % 101);

		if (!op->is_sync && i < synced) {
			apply(op, 0, op->len);
		}
		for (size_t at = 0; i >= synced && at < op->len;) {
			size_t to = ((op->off + at) / PIECE + 1) * PIECE;
			size_t len = to - (op->off + at);

			len = len < op->len - at ? len : op->len - at;
			if (next_random() % 100 < keep) {
				apply(op, at, len);
			}
			at += len;
		}
	}
	assert_int_equal(pwrite(fd, image, image_len, 0), (ssize_t)image_len);
	assert_int_equal(ftruncate(fd, (off_t)image_len), 0);
}

/* Reads the image; seen[i]: record i is there, whole. */
static void
read_image(int fd, bool *seen)
{
	struct plog_reader r;
	struct plog_record rec;
	int e = plog_reader_init(&r, fd);

	if (e < 0) {
		return;
	}
	while (plog_reader_batch(&r, UINT64_MAX) == 1) {
		while (plog_reader_record(&r, &rec)) {
			char text[64], got[sizeof(contents[0])];
			size_t i, len;

			str_copy(text, sizeof(text), rec.rec);
			assert_int_equal(
			    sscanf(text, "record %zu %zu", &i, &len), 2);
			assert_true(i < RECORDS && rec.content_len == len);
			e = plog_read_content(fd, r.segid, rec.content_off, got,
			    rec.content_len, rec.content_crc);
			if (e == 0) {
				assert_memory_equal(got, contents[i], len);
				seen[i] = true;
			}
		}
	}
	plog_reader_fini(&r);
}

static size_t
from_environment(const char *name, size_t otherwise)
{
	const char *s = getenv(name);

	return s != NULL ? (size_t)strtoull(s, NULL, 10) : otherwise;
}

static void
test_plog_no_acknowledged_record_is_lost_by_a_power_cut(void **state)
{
	size_t images = from_environment("IMAGES", 100000), cuts = 0;
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	rng = from_environment("SEED", 88172645463325252u);
	write_records();
	for (size_t n = 0; n < images; n++) {
		size_t cut = next_random() % (n_ops + 1);
		bool seen[RECORDS] = { false };

		make_image(fd, cut);
		read_image(fd, seen);
		for (size_t i = 0; i < RECORDS; i++) {
			if (acked_at[i] <= cut && !seen[i]) {
				fail_msg("record %zu was acknowledged after op "
					 "%zu and is missing after a cut at "
					 "%zu, image %zu",
				    i, acked_at[i], cut, n);
			}
		}
		cuts += cut < n_ops;
	}
	assert_true(cuts > images / 2);
	(void)close(fd);
	for (size_t i = 0; i < n_ops; i++) {
		free(ops[i].data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_plog_no_acknowledged_record_is_lost_by_a_power_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
