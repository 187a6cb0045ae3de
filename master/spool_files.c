#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "master.h"
#include "uuid.h"

/*
 * Writers hold descriptors, never names: master makes the file, makes its
 * directory entry durable, and hands the descriptor over.
 */

#define WRITERS 256

static uint32_t incarnation;
static uint32_t next_segment[WRITERS];
static uint32_t next_big;

/* The highest incarnation among the segments that are there. */
static uint32_t
highest_in_spool(const struct conf *c)
{
	uint32_t highest = 0;

	for (unsigned w = 0; w < WRITERS; w++) {
		char path[4096];
		struct dirent *e;
		DIR *d;

		(void)snprintf(
		    path, sizeof(path), "%s/msg/%u", c->spool_directory, w);
		d = opendir(path);
		while (d != NULL && (e = readdir(d)) != NULL) {
			uint64_t segid;
			uint32_t found;

			if (segment_name_parse(
				(uint8_t)w, str_of(e->d_name), &segid) == 0) {
				found = (uint32_t)(segid >> 32) & 0xffffff;
				highest = found > highest ? found : highest;
			}
		}
		if (d != NULL) {
			(void)closedir(d);
		}
	}
	return highest;
}

static int
sync_directory(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Writes the number to state_directory/incarnation, durably. */
static int
store(const struct conf *c, uint32_t number)
{
	char path[4096], tmp[4096 + 8], text[16];
	int n = snprintf(text, sizeof(text), "%u\n", number);
	autoclose int fd = -1;

	(void)snprintf(
	    path, sizeof(path), "%s/incarnation", c->state_directory);
	(void)snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) < 0 ||
	    rename(tmp, path) < 0) {
		return errno != 0 ? -errno : -EIO;
	}
	return sync_directory(c->state_directory);
}

static uint32_t
load(const struct conf *c)
{
	char path[4096], text[16] = "";
	autoclose int fd = -1;

	(void)snprintf(
	    path, sizeof(path), "%s/incarnation", c->state_directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) {
		return 0; /* the spool's names still tell */
	}
	return (uint32_t)strtoul(text, NULL, 10);
}

int
spool_files_init(const struct conf *c, struct buf *error)
{
	uint32_t stored = load(c), seen = highest_in_spool(c);
	int r;

	incarnation = ((stored > seen ? stored : seen) + 1) & 0xffffff;
	r = store(c, incarnation);
	if (r < 0) {
		buf_printf(error, "%s/incarnation: %s", c->state_directory,
		    strerror(-r));
	}
	return r;
}

static uint8_t
writer_of(const struct peer *p)
{
	switch (peer_role(p)) {
	case ROLE_BOUNCER:
		return SPOOL_WRITER_BOUNCER;
	case ROLE_QMGR:
		return SPOOL_WRITER_QMGR;
	default:
		return (uint8_t)peer_index(p);
	}
}

/* Creates the file; the directory entry is synced. The descriptor or -errno. */
static int
make_file(const char *directory, const char *name)
{
	char path[4096];
	struct buf ignored = { 0 };
	unsigned uid, gid;
	int fd, r;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >=
	    (int)sizeof(path)) {
		return -ENAMETOOLONG;
	}
	r = directories_user(master_conf(), "qmgr", &uid, &gid, &ignored);
	buf_fini(&ignored);
	if (r < 0) {
		return r;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -errno;
	}
	if (geteuid() == 0 && fchown(fd, uid, gid) < 0) {
		r = -errno;
	}
	if (r == 0) {
		r = sync_directory(directory);
	}
	if (r < 0) {
		(void)unlink(path);
		(void)close(fd);
		return r;
	}
	return fd;
}

void
spool_files_on_req(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_file_req *m = msg;
	const char *spool = master_conf()->spool_directory;
	uint8_t writer = writer_of(p);
	struct ipc_file_rep rep = { 0 };
	char directory[4096], name[SEGMENT_NAME_SIZE];
	autoclose int fd = -1;

	if (m->kind == SPOOL_BIG) {
		rep.segid = (uint64_t)incarnation << 32 | ++next_big;
		(void)snprintf(directory, sizeof(directory), "%s/big", spool);
		(void)snprintf(name, sizeof(name), "%016llx.msg",
		    (unsigned long long)rep.segid);
	} else {
		rep.segid =
		    segment_id(writer, incarnation, next_segment[writer]++);
		(void)snprintf(
		    directory, sizeof(directory), "%s/msg/%u", spool, writer);
		segment_name(rep.segid, name);
	}
	fd = make_file(directory, name);
	if (fd < 0) {
		log_error("%s/%s: %s", directory, name, strerror(-fd));
		rep.status = (uint32_t)-fd;
		(void)peer_send(p, IPC_file_rep, id, &rep);
		return;
	}
	(void)peer_send_fd(p, IPC_file_rep, id, &rep, fd);
}
