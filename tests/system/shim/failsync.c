/*
 * Preloaded into the suite: makes syncs of one daemon fail when a test says
 * so. The page is mapped before the daemon confines itself and opens nothing
 * later.
 *
 * FAILSYNC_PAGE names a file of one struct page, which the test writes to.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct page {
	char program[16];
	_Atomic int skip; /* syncs that work before the first failing one */
	_Atomic int fail; /* so many fail */
	_Atomic int done; /* of these */
	_Atomic int writes_after; /* to a file whose sync has failed */
};

static struct page *page;
static _Atomic int bad_fds[1024];

static void __attribute__((constructor)) begin(void)
{
	const char *path = getenv("FAILSYNC_PAGE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0) {
		return;
	}
	p = mmap(
	    NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	page = p != MAP_FAILED ? p : NULL;
}

static int
is_to_fail(int fd)
{
	if (page == NULL ||
	    strcmp(page->program, program_invocation_short_name) != 0 ||
	    atomic_load(&page->fail) <= 0) {
		return 0;
	}
	if (atomic_load(&page->skip) > 0) {
		atomic_fetch_sub(&page->skip, 1);
		return 0;
	}
	atomic_fetch_sub(&page->fail, 1);
	atomic_fetch_add(&page->done, 1);
	if (fd >= 0 && fd < 1024) {
		atomic_store(&bad_fds[fd], 1);
	}
	return 1;
}

int
fdatasync(int fd)
{
	if (is_to_fail(fd)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	if (is_to_fail(fd)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	if (page != NULL && fd >= 0 && fd < 1024 && atomic_load(&bad_fds[fd])) {
		atomic_fetch_add(&page->writes_after, 1);
	}
	return syscall(SYS_pwritev, fd, iov, n, (long)off, 0L);
}

int
close(int fd)
{
	if (fd >= 0 && fd < 1024) {
		atomic_store(&bad_fds[fd], 0);
	}
	return (int)syscall(SYS_close, fd);
}
