#include "backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "log.h"

#define DIRECTORY "backup"

/* The one copy that is being made. */
static struct {
	struct tool *tool; /* NULL: it has gone away */
	bool is_running;
} backup;

/* 0 or -errno. There are only files in it. */
static int
drop(void)
{
	DIR *d = opendir(DIRECTORY);
	const struct dirent *e;
	int r = 0;

	if (d == NULL) {
		return errno == ENOENT ? 0 : -errno;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' &&
		    unlinkat(dirfd(d), e->d_name, 0) < 0) {
			r = -errno;
		}
	}
	(void)closedir(d);
	return r == 0 && rmdir(DIRECTORY) < 0 ? -errno : r;
}

void
backup_start(void)
{
	int r = drop();

	if (r < 0) {
		log_warn("the directory %s, left by a backup, cannot be "
			 "removed: %s",
		    DIRECTORY, strerror(-r));
	}
}

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	(void)arg;
	backup.tool = NULL;
}

static void
on_copied(void *arg, int status)
{
	struct tool *t = backup.tool;

	(void)arg;
	backup.tool = NULL;
	backup.is_running = false;
	if (t == NULL || status < 0) {
		(void)drop(); /* or at the next start */
	}
	if (status < 0) {
		log_error(
		    "the database is not backed up: %s", strerror(-status));
	}
	if (t == NULL) {
		return;
	}
	if (status < 0) {
		tool_end(t, EX_IOERR, "the database cannot be copied: %s",
		    strerror(-status));
		return;
	}
	log_info("the database is backed up");
	tool_out(t, json_pack("{s:s}", "directory", DIRECTORY));
	tool_end(t, EX_OK, NULL);
}

static void
backup_make(struct tool *t)
{
	int r = backup.is_running ? -EBUSY : drop();

	if (r == 0 && mkdir(DIRECTORY, 0700) < 0) {
		r = -errno;
	}
	if (r == 0) {
		r = store_backup(accountd.store, DIRECTORY, on_copied, NULL);
	}
	if (r == -EBUSY) {
		tool_end(t, EX_TEMPFAIL, "another backup is being made");
	} else if (r == -ENOSPC) {
		tool_end(t, EX_TEMPFAIL,
		    "not enough free space below state_directory for a copy "
		    "of the database");
	} else if (r < 0) {
		tool_end(t, EX_IOERR, "the database cannot be copied: %s",
		    strerror(-r));
	} else {
		backup.tool = t;
		backup.is_running = true;
		tool_async(t, on_gone, NULL, NULL);
	}
}

static void
backup_drop(struct tool *t)
{
	int r = backup.is_running ? 0 : drop();

	if (r < 0) {
		tool_end(t, EX_IOERR, "the copy cannot be removed: %s",
		    strerror(-r));
	} else {
		tool_end(t, EX_OK, NULL);
	}
}

const struct command backup_commands[] = {
	{ "backup.make", backup_make },
	{ "backup.drop", backup_drop },
	{ 0 },
};
