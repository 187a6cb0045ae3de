#include "pbspool_content.h"

#include <errno.h>
#include <sys/stat.h>

#include "crc32c.h"

#define PIECE (256 * 1024)

/* What can be one content: a batch is no larger. */
#define CONTENT_MAX (512u * 1024 * 1024)

static int
read_small(int fd, uint64_t segid, uint64_t size, const struct plog_record *rec,
    uint8_t **out)
{
	int r;

	if (rec->content_len > CONTENT_MAX || rec->content_off > size ||
	    rec->content_len > size - rec->content_off) {
		return -EBADMSG;
	}
	*out = mem_alloc(rec->content_len + 1);
	r = plog_read_content(fd, segid, rec->content_off, *out,
	    rec->content_len, rec->content_crc);
	return r == -ENODATA ? -EBADMSG : r;
}

/* Gives the big file's bytes to piece and sums them up. 0 or -errno. */
static int
read_pieces(
    int fd, uint64_t len, pbspool_piece_fn *piece, void *arg, uint32_t *crc)
{
	autofree uint8_t *p = mem_alloc(PIECE);
	uint64_t at = 0;

	*crc = 0;
	while (at < len) {
		size_t want = len - at < PIECE ? (size_t)(len - at) : PIECE;
		ssize_t n = pread(fd, p, want, (off_t)at);
		int r;

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n == 0 ? -EUCLEAN : -errno;
		}
		*crc = crc32c(*crc, p, (size_t)n);
		at += (uint64_t)n;
		r = piece != NULL ? piece(arg, p, (size_t)n) : 0;
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int
open_big(const struct pbspool_files *files, const struct event_accepted *e)
{
	const struct pbspool_file *f =
	    pbspool_files_find(files, PBSPOOL_BIG, e->big_file);
	uint32_t crc;
	int fd = f != NULL ? pbspool_files_open(files, f) : -ENOENT;
	int r;

	if (fd < 0) {
		return fd == -ENOENT ? -EUCLEAN : fd;
	}
	r = read_pieces(fd, e->big_len, NULL, NULL, &crc);
	if (r == 0 && crc != e->big_crc) {
		r = -EUCLEAN;
	}
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

int
pbspool_content_read(const struct pbspool_files *files, int fd, uint64_t segid,
    uint64_t size, const struct plog_record *rec,
    const struct event_accepted *e, pbspool_piece_fn *piece, void *arg)
{
	autofree uint8_t *small = NULL;
	autoclose int big = -1;
	uint32_t crc;
	int r = read_small(fd, segid, size, rec, &small);

	if (r == 0 && e->big_file != 0) {
		big = open_big(files, e);
		r = big < 0 ? big : 0;
	}
	if (r == 0 && piece != NULL) {
		r = piece(arg, small, rec->content_len);
	}
	if (r == 0 && piece != NULL && big >= 0) {
		r = read_pieces(big, e->big_len, piece, arg, &crc);
	}
	return r;
}
