#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master.h"
#include "spool.h"

int
directories_user(const struct conf *c, const char *daemon, unsigned *uid,
    unsigned *gid, struct buf *error)
{
	char name[128];
	const struct passwd *pw;

	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0) {
		return 0;
	}
	(void)snprintf(
	    name, sizeof(name), "%s%s", c->daemon_user_prefix, daemon);
	pw = getpwnam(name);
	if (pw == NULL) {
		buf_printf(error,
		    "user %s does not exist: create it with systemd-sysusers "
		    "or useradd --system, or change daemon_user_prefix",
		    name);
		return -ENOENT;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

/* One directory for the daemon (NULL: root's). */
static int
make(const struct conf *c, const char *path, const char *daemon, mode_t mode,
    struct buf *error)
{
	unsigned uid = geteuid(), gid = getegid();
	int r = 0;

	if (daemon != NULL) {
		r = directories_user(c, daemon, &uid, &gid, error);
	}
	if (r < 0) {
		return r;
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		r = -errno;
		buf_printf(error, "%s: %s", path, strerror(-r));
		return r;
	}
	/* Whoever owned it before: what a daemon needs it can use. */
	if (geteuid() == 0 &&
	    (chown(path, uid, gid) < 0 || chmod(path, mode) < 0)) {
		r = -errno;
		buf_printf(error, "%s: %s", path, strerror(-r));
	}
	return r;
}

static int
make_writers(const struct conf *c, struct buf *error)
{
	static const unsigned others[] = { SPOOL_WRITER_BOUNCER,
		SPOOL_WRITER_QMGR };
	unsigned n = 0;
	char path[4096];
	int r = 0;

	for (unsigned i = 0; i < n_service_rows; i++) {
		if (service_rows[i].role == ROLE_SMTPD) {
			n = service_count(&service_rows[i], c);
		}
	}
	for (unsigned i = 0; i < n + array_len(others) && r == 0; i++) {
		unsigned writer = i < n ? i : others[i - n];

		(void)snprintf(path, sizeof(path), "%s/msg/%u",
		    c->spool_directory, writer);
		r = make(c, path, "qmgr", 0750, error);
	}
	return r;
}

int
directories_make(const struct conf *c, struct buf *error)
{
	static const char *const spool[] = { "", "/msg", "/big", "/jrn",
		"/ckp" };
	char path[4096];
	int r = 0;

	for (size_t i = 0; i < array_len(spool) && r == 0; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s%s", c->spool_directory, spool[i]);
		r = make(c, path, "qmgr", 0750, error);
	}
	if (r == 0) {
		r = make_writers(c, error);
	}
	if (r == 0) {
		r = make(c, c->state_directory, NULL, 0700, error);
	}
	for (unsigned i = 0; i < n_service_rows && r == 0; i++) {
		if (service_rows[i].directory != NULL) {
			(void)snprintf(path, sizeof(path), "%s/%s",
			    c->state_directory, service_rows[i].directory);
			r = make(c, path, service_rows[i].name, 0700, error);
		}
	}
	if (r == 0) {
		r = make(c, c->run_directory, NULL, 0755, error);
	}
	if (r == 0) {
		(void)snprintf(
		    path, sizeof(path), "%s/empty", c->run_directory);
		r = make(c, path, NULL, 0555, error);
	}
	return r;
}
