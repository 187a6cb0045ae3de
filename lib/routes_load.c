/*
 * The files behind routes.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "file.h"
#include "routes.h"

/* A file beyond this is none that a person keeps, bytes. */
#define FILE_MAX (16 * 1024 * 1024)

static int
fail(struct buf *error, const char *path, int e)
{
	buf_printf(
	    error, "smtp_sasl_password_maps: %s: %s", path, strerror(-e));
	return e;
}

/* Not to be there is fine. */
static int
load_lines(struct routes *r, const struct conf *c, struct buf *error)
{
	char path[4096];
	struct buf text = { 0 };
	int e;

	(void)snprintf(path, sizeof(path), "%s/routes.cf", c->dir);
	e = file_load_text(path, FILE_MAX, &text, error);
	if (e == -ENOENT) {
		e = 0;
	} else if (e == 0) {
		e = routes_parse(r, buf_str(&text), path, error);
	}
	buf_fini(&text);
	return e;
}

/* Postfix's "texthash:" is the only type that makes sense here. */
static int
password_path(const char *value, const char **path, struct buf *error)
{
	static const char type[] = "texthash:";

	*path = value;
	if (strncmp(value, type, sizeof(type) - 1) == 0) {
		*path = value + sizeof(type) - 1;
	}
	if ((*path)[0] != '/') {
		buf_printf(error,
		    "smtp_sasl_password_maps = %s: write the path of the text "
		    "file, from / on; other types of tables are not read",
		    value);
		return -EINVAL;
	}
	return 0;
}

static int
check_mode(int fd, const char *path, struct buf *error)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return fail(error, path, -errno);
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		buf_printf(error, "smtp_sasl_password_maps: %s: %s", path,
		    S_ISREG(st.st_mode) ? "others may use it; chmod 600 it"
					: "is no file");
		return -EINVAL;
	}
	return 0;
}

static int
load_passwords(struct routes *r, const char *value, struct buf *error)
{
	struct buf text = { 0 };
	const char *path;
	autoclose int fd = -1;
	int e = password_path(value, &path, error);

	if (e < 0) {
		return e;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return fail(error, path, -errno);
	}
	e = check_mode(fd, path, error);
	if (e == 0) {
		e = file_read(fd, FILE_MAX, &text);
		e = e < 0
		    ? fail(error, path, e)
		    : routes_parse_passwords(r, buf_str(&text), path, error);
	}
	if (text.len > 0) {
		explicit_bzero(text.p, text.len);
	}
	buf_fini(&text);
	return e;
}

int
routes_load(const struct conf *c, struct routes **out, struct buf *error)
{
	struct routes *r = routes_new();
	int e = load_lines(r, c, error);

	if (e == 0 && c->relayhost[0] != '\0' &&
	    routes_set_relayhost(r, str_of(c->relayhost)) < 0) {
		buf_printf(error,
		    "%s/packetboat.cf: relayhost = %s: write host, [host], "
		    "[host]:port or [address]:port",
		    c->dir, c->relayhost);
		e = -EINVAL;
	}
	if (e == 0 && c->smtp_sasl_password_maps[0] != '\0') {
		e = load_passwords(r, c->smtp_sasl_password_maps, error);
	}
	if (e < 0) {
		routes_free(&r);
		return e;
	}
	*out = r;
	return 0;
}

int
routes_check(const struct conf *c, struct buf *error)
{
	struct routes *r = NULL;
	int e = routes_load(c, &r, error);

	routes_free(&r);
	return e;
}
