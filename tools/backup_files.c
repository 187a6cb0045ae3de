#include "backup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "crc32c.h"

#define PATH_SIZE 4096
#define DEPTH_MAX 8

struct sum {
	uint64_t bytes;
	uint32_t crc;
};

static int
failed(const char *path, int r)
{
	fprintf(stderr, "packetboat: %s: %s\n", path, strerror(-r));
	return r;
}

/* Adds what in has to the sum and, when out is none of -1, writes it there. */
static int
pump(int in, int out, struct sum *sum)
{
	static uint8_t data[256 * 1024];
	ssize_t n;

	while ((n = read(in, data, sizeof(data))) > 0) {
		sum->crc = crc32c(sum->crc, data, (size_t)n);
		sum->bytes += (uint64_t)n;
		for (ssize_t at = 0; out >= 0 && at < n;) {
			ssize_t done = write(out, data + at, (size_t)(n - at));

			if (done < 0) {
				return -errno;
			}
			at += done;
		}
	}
	return n < 0 ? -errno : 0;
}

static int
copy_file(const char *from, const char *to, struct sum *sum)
{
	autoclose int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autoclose int out = -1;
	int r;

	if (in < 0) {
		return errno == ENOENT ? -ENOENT : failed(from, -errno);
	}
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0) {
		return failed(to, errno == ENOENT ? -EIO : -errno);
	}
	r = pump(in, out, sum);
	if (r == 0 && fsync(out) < 0) {
		r = -errno;
	}
	return r < 0 ? failed(to, r) : 0;
}

static int
join(char *dst, const char *a, const char *b)
{
	int n = snprintf(dst, PATH_SIZE, "%s/%s", a, b);

	return n < 0 || n >= PATH_SIZE ? failed(b, -ENAMETOOLONG) : 0;
}

static bool
is_in_list(const char *name)
{
	return strchr(name, '\n') == NULL;
}

static int copy_entries(const char *from, const char *to, const char *name,
    FILE *list, unsigned depth);

/* One entry of a directory, of whatever kind. */
static int
copy_entry(const char *from, const char *to, const char *name, FILE *list,
    unsigned depth)
{
	struct sum sum = { 0 };
	struct stat st;
	int r;

	/* What goes away meanwhile was deleted by somebody: a key. */
	if (lstat(from, &st) < 0) {
		return errno == ENOENT ? 0 : failed(from, -errno);
	}
	if (S_ISDIR(st.st_mode)) {
		return depth == 0 ? 0
				  : copy_entries(from, to, name, list, depth);
	}
	if (!S_ISREG(st.st_mode) || !is_in_list(name)) {
		return 0;
	}
	r = copy_file(from, to, &sum);
	if (r == -ENOENT) {
		return 0;
	}
	if (r == 0 && list != NULL) {
		fprintf(list, "%08x %llu %s\n", sum.crc,
		    (unsigned long long)sum.bytes, name);
	}
	return r;
}

static int
copy_entries(const char *from, const char *to, const char *name, FILE *list,
    unsigned depth)
{
	DIR *d;
	const struct dirent *e;
	int r = 0;

	if (mkdir(to, 0700) < 0 && errno != EEXIST) {
		return failed(to, -errno);
	}
	d = opendir(from);
	if (d == NULL) {
		return errno == ENOENT ? 0 : failed(from, -errno);
	}
	while (r == 0 && (e = readdir(d)) != NULL) {
		char in[PATH_SIZE], out[PATH_SIZE], full[PATH_SIZE];

		if (e->d_name[0] == '.') {
			continue;
		}
		r = join(in, from, e->d_name);
		r = r < 0 ? r : join(out, to, e->d_name);
		r = r < 0 ? r : join(full, name, e->d_name);
		r = r < 0 ? r : copy_entry(in, out, full, list, depth - 1);
	}
	(void)closedir(d);
	return r < 0 ? r : backup_sync(to);
}

int
backup_copy_tree(const char *from, const char *to, const char *name, FILE *list)
{
	return copy_entries(from, to, name, list, DEPTH_MAX);
}

int
backup_copy_flat(const char *from, const char *to, const char *name, FILE *list)
{
	return copy_entries(from, to, name, list, 1);
}

static int
give(const char *path, unsigned uid, unsigned gid, unsigned depth)
{
	const struct dirent *e;
	DIR *d;
	int r = lchown(path, uid, gid) < 0 ? failed(path, -errno) : 0;

	d = r == 0 && depth > 0 ? opendir(path) : NULL;
	if (d == NULL) {
		return r; /* a file */
	}
	while (r == 0 && (e = readdir(d)) != NULL) {
		char below[PATH_SIZE];

		if (e->d_name[0] != '.') {
			r = join(below, path, e->d_name);
			r = r < 0 ? r : give(below, uid, gid, depth - 1);
		}
	}
	(void)closedir(d);
	return r;
}

int
backup_give(const char *path, unsigned uid, unsigned gid)
{
	return give(path, uid, gid, DEPTH_MAX + 1);
}

bool
backup_is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool empty = true;

	if (d == NULL) {
		return errno == ENOENT;
	}
	while (empty && (e = readdir(d)) != NULL) {
		empty =
		    strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	}
	(void)closedir(d);
	return empty;
}

int
backup_sync(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? failed(path, -errno) : 0;
}

/* ---- the check ------------------------------------------------------------
 */

static int
check_file(const char *dir, const char *name, const struct sum *want)
{
	char path[PATH_SIZE];
	struct sum sum = { 0 };
	autoclose int fd = -1;
	int r = join(path, dir, name);

	if (r < 0) {
		return r;
	}
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return failed(path, -errno);
	}
	r = pump(fd, -1, &sum);
	if (r < 0) {
		return failed(path, r);
	}
	if (sum.bytes != want->bytes || sum.crc != want->crc) {
		fprintf(stderr,
		    "packetboat: %s: is not what was backed up: its size or "
		    "checksum is another one\n",
		    path);
		return -EBADMSG;
	}
	return 0;
}

/* A name that leads out of the backup was not written by us. */
static bool
is_inside(const char *name)
{
	return name[0] != '/' && name[0] != '\0' && strstr(name, "..") == NULL;
}

static int
check_line(const char *dir, char *line)
{
	struct sum want = { 0 };
	unsigned long long bytes;
	unsigned crc;
	int at = 0;

	if (sscanf(line, "%8x %20llu %n", &crc, &bytes, &at) < 2 || at == 0 ||
	    !is_inside(line + at)) {
		fprintf(stderr,
		    "packetboat: %s/" BACKUP_LIST ": a line cannot be read\n",
		    dir);
		return -EBADMSG;
	}
	want = (struct sum){ bytes, crc };
	return check_file(dir, line + at, &want) < 0 ? -EBADMSG : 0;
}

int
backup_check(const char *dir)
{
	char path[PATH_SIZE], line[PATH_SIZE + 64];
	bool is_first = true;
	bool is_whole = false;
	FILE *f;
	int r = join(path, dir, BACKUP_LIST);

	f = r == 0 ? fopen(path, "re") : NULL;
	if (f == NULL) {
		return r < 0 ? r : -errno;
	}
	while (r == 0 && !is_whole && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (is_first) {
			r = strcmp(line, BACKUP_FIRST_LINE) == 0 ? 0 : -EBADMSG;
			is_first = false;
		} else if (strcmp(line, BACKUP_LAST_LINE) == 0) {
			is_whole = true;
		} else {
			r = check_line(dir, line);
		}
	}
	(void)fclose(f);
	if (r == 0 && !is_whole) {
		r = -EBADMSG;
	}
	return r;
}
