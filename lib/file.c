#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 16384

int
file_read(int fd, size_t max, struct buf *out)
{
	size_t before = out->len;

	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, READ_SIZE), READ_SIZE);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : 0;
		}
		out->len += (size_t)n;
		if (out->len - before > max) {
			return -EFBIG;
		}
	}
}

int
file_load(const char *path, size_t max, struct buf *out)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_read(fd, max, out);
}

int
file_load_text(const char *path, size_t max, struct buf *out, struct buf *error)
{
	int r = file_load(path, max, out);

	if (r == 0 && out->len != 0 && memchr(out->p, 0, out->len) != NULL) {
		buf_printf(
		    error, "%s: holds a NUL byte: this is no text", path);
		return -EINVAL;
	}
	if (r == -EFBIG) {
		buf_printf(error, "%s: is larger than %zu MB", path, max >> 20);
	} else if (r < 0 && r != -ENOENT) {
		buf_printf(error, "%s: %s", path, strerror(-r));
	}
	return r;
}

int
file_write(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n != 0) {
		ssize_t w = write(fd, at, n);

		if (w < 0 && errno == EINTR) {
			continue;
		}
		if (w <= 0) {
			return w < 0 ? -errno : -EIO;
		}
		at += w;
		n -= (size_t)w;
	}
	return 0;
}
