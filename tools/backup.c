#include "backup.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "backup_files.h"
#include "client.h"

#define PATH_SIZE 4096

/* What belongs to a daemon: its name is that of the directory. */
static const char *const kept[] = { "accountd", "signd" };

static const char *
state_path(char *dst, const char *daemon, const char *below)
{
	int n = snprintf(dst, PATH_SIZE, "%s/%s%s",
	    client_conf()->state_directory, daemon, below);

	if (n < 0 || n >= PATH_SIZE) {
		client_die(EX_CONFIG, "state_directory is too long");
	}
	return dst;
}

static const char *
backup_path(char *dst, const char *directory, const char *name)
{
	int n = snprintf(dst, PATH_SIZE, "%s/%s", directory, name);

	if (n < 0 || n >= PATH_SIZE) {
		client_die(EX_USAGE, "%s: the name is too long", directory);
	}
	return dst;
}

/* ---- backup --------------------------------------------------------------
 */

static void
ignore_line(json_t *line, void *arg)
{
	(void)line;
	(void)arg;
}

/* The database as accountd copies it, or as it left it when it ended. */
static int
copy_database(const char *to, bool is_running, FILE *list)
{
	char from[PATH_SIZE];
	int status = EX_OK;
	int r;

	if (is_running) {
		status = client_call("accountd", "backup.make", json_object(),
		    ignore_line, NULL);
	}
	if (status != EX_OK) {
		return status;
	}
	(void)state_path(from, "accountd", is_running ? "/backup" : "");
	r = backup_copy_flat(from, to, "accountd", list);
	if (is_running) {
		status = client_call("accountd", "backup.drop", json_object(),
		    ignore_line, NULL);
	}
	return r < 0 ? EX_IOERR : status;
}

/*
 * Keys after the database: a domain in the copy has keys that were made
 * before it. Whoever deletes a domain meanwhile deletes it from the copy, too.
 */
static int
copy_all(const char *to, bool is_running, FILE *list)
{
	char from[PATH_SIZE], path[PATH_SIZE];
	int status;

	fputs(BACKUP_FIRST_LINE "\n", list);
	status =
	    copy_database(backup_path(path, to, "accountd"), is_running, list);
	if (status != EX_OK) {
		return status;
	}
	if (backup_copy_tree(state_path(from, "signd", ""),
		backup_path(path, to, "signd"), "signd", list) < 0 ||
	    backup_copy_flat(client_conf()->dir,
		backup_path(path, to, "config"), "config", list) < 0) {
		return EX_IOERR;
	}
	fputs(BACKUP_LAST_LINE "\n", list);
	return EX_OK;
}

static bool
make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0) {
		return true;
	}
	if (errno == EEXIST && backup_is_empty(path)) {
		return true;
	}
	fprintf(stderr, "packetboat: %s: %s\n", path,
	    errno == EEXIST || errno == 0
		? "is not empty: name a directory that is not there"
		: strerror(errno));
	return false;
}

int
backup_make(const char *to, bool is_running)
{
	char path[PATH_SIZE], making[PATH_SIZE];
	int status;
	FILE *list;

	(void)umask(077);
	if (!make_directory(to)) {
		return EX_CANTCREAT;
	}
	(void)backup_path(making, to, BACKUP_LIST ".new");
	(void)backup_path(path, to, BACKUP_LIST);
	list = fopen(making, "wxe");
	if (list == NULL) {
		client_die(EX_CANTCREAT, "%s: %s", making, strerror(errno));
	}
	status = copy_all(to, is_running, list);
	if (fflush(list) != 0 || fsync(fileno(list)) < 0 || fclose(list) != 0) {
		client_die(EX_IOERR, "%s: %s", making, strerror(errno));
	}
	/* The list is what makes it a backup. */
	if (status == EX_OK &&
	    (rename(making, path) < 0 || backup_sync(to) < 0)) {
		client_die(EX_IOERR, "%s: %s", path, strerror(errno));
	}
	return status;
}

/* ---- restore -------------------------------------------------------------
 */

static void
user_of(const char *daemon, unsigned *uid, unsigned *gid)
{
	char name[128];
	const struct passwd *pw;

	(void)snprintf(name, sizeof(name), "%s%s",
	    client_conf()->daemon_user_prefix, daemon);
	pw = getpwnam(name);
	if (pw == NULL) {
		client_die(EX_NOUSER,
		    "user %s does not exist: create it with systemd-sysusers "
		    "or useradd --system, or change daemon_user_prefix",
		    name);
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
}

static int
restore_one(const char *from, const char *daemon)
{
	char source[PATH_SIZE], path[PATH_SIZE];
	unsigned uid = geteuid(), gid = getegid();

	(void)state_path(path, daemon, "");
	if (backup_copy_tree(
		backup_path(source, from, daemon), path, daemon, NULL) < 0) {
		return EX_IOERR;
	}
	if (geteuid() == 0) {
		user_of(daemon, &uid, &gid);
	}
	return backup_give(path, uid, gid) < 0 ? EX_IOERR : EX_OK;
}

static void
check_backup(const char *from)
{
	int r = backup_check(from);

	if (r == -EBADMSG) {
		client_die(EX_DATAERR,
		    "%s: the backup is damaged or not whole: nothing was "
		    "restored",
		    from);
	}
	if (r < 0) {
		client_die(EX_NOINPUT,
		    "%s/" BACKUP_LIST ": %s: is it a backup?", from,
		    strerror(-r));
	}
}

int
backup_restore(const char *from)
{
	const char *state = client_conf()->state_directory;
	char path[PATH_SIZE];
	int status = EX_OK;

	check_backup(from);
	for (size_t i = 0; i < array_len(kept); i++) {
		if (!backup_is_empty(state_path(path, kept[i], ""))) {
			client_die(EX_CANTCREAT,
			    "%s: is not empty: move it away first", path);
		}
	}
	if (mkdir(state, 0700) < 0 && errno != EEXIST) {
		client_die(EX_CANTCREAT, "%s: %s", state, strerror(errno));
	}
	for (size_t i = 0; i < array_len(kept) && status == EX_OK; i++) {
		status = restore_one(from, kept[i]);
	}
	return status == EX_OK && backup_sync(state) < 0 ? EX_IOERR : status;
}
