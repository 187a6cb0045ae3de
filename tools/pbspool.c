/* pbspool(1): looks at a spool without the suite, and saves mail from it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"
#include "pbspool_check.h"
#include "pbspool_salvage.h"
#include "uuid.h"

static const char usage[] =
    "usage: pbspool [-c dir] [--json] check [spool]\n"
    "       pbspool [-c dir] [--json] salvage [--alive] [-o dir] [-s spool]\n"
    "               [id ...]\n";

/* Status of a check that found damage, as of a salvage that lost a message. */
#define EXIT_DAMAGED 1

static const struct option options[] = {
	{ "alive", no_argument, NULL, 'a' },
	{ NULL, 0, NULL, 0 },
};

/* The configuration is only needed where no spool is named. */
static int
open_spool(const char *path, struct pbspool_files *files)
{
	struct buf where = { 0 };
	int dir;
	int r;

	if (path == NULL) {
		client_load();
		path = client_conf()->spool_directory;
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		client_die(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s",
		    path, strerror(errno));
	}
	r = pbspool_files_list(dir, files, &where);
	if (r == -ENOENT && where.len == 0) {
		client_die(EX_NOINPUT,
		    "%s is no spool: it has neither msg/ nor jrn/", path);
	}
	if (r < 0) {
		client_die(r == -EACCES ? EX_NOPERM : EX_IOERR, "%s/%.*s: %s",
		    path, STR_ARG(buf_str(&where)), strerror(-r));
	}
	return dir;
}

static int
status_of(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return EX_NOPERM;
	case -EEXIST:
	case -EROFS:
		return EX_CANTCREAT;
	default:
		return EX_IOERR;
	}
}

static void
flush(void)
{
	if (fflush(stdout) != 0) {
		client_die(EX_IOERR, "standard output: %s", strerror(errno));
	}
}

/* ---- check -------------------------------------------------------------- */

static int
check(const char *path)
{
	struct pbspool_report report = { .is_json = client_wants_json() };
	struct pbspool_files files;
	struct buf where = { 0 };
	int dir = open_spool(path, &files);
	int r = pbspool_check(&files, &report, &where);

	if (r < 0) {
		client_die(status_of(r), "%.*s: %s", STR_ARG(buf_str(&where)),
		    strerror(-r));
	}
	if (!report.is_json) {
		printf("%s: %" PRIu64 " damaged, %" PRIu64 " torn tails\n",
		    report.damages != 0 ? "DAMAGED" : "ok", report.damages,
		    report.torn);
	}
	flush();
	pbspool_files_fini(&files);
	(void)close(dir);
	return report.damages != 0 ? EXIT_DAMAGED : EX_OK;
}

/* ---- salvage ------------------------------------------------------------ */

static struct map *
read_ids(int argc, char **argv)
{
	static char wanted[] = "wanted";
	struct map *ids = argc > 0 ? map_new() : NULL;
	struct uuid id;

	for (int i = 0; i < argc; i++) {
		if (uuid_parse(str_of(argv[i]), &id) < 0) {
			client_die(EX_DATAERR, "%s: not a message id", argv[i]);
		}
		(void)map_put(ids,
		    (struct str){ (const char *)id.b, sizeof(id.b) }, wanted);
	}
	return ids;
}

/* How many of the ids were not there; each is told. */
static size_t
tell_missing(const struct map *ids)
{
	char text[UUID_TEXT_SIZE];
	size_t at = 0;
	size_t n = 0;
	struct uuid id;
	struct str key;
	void *value;

	while (ids != NULL && map_next(ids, &at, &key, &value)) {
		if (value != PBSPOOL_FOUND) {
			memcpy(id.b, key.p, sizeof(id.b));
			uuid_print(&id, text);
			fprintf(stderr, "pbspool: %s: not found in the spool\n",
			    text);
			n++;
		}
	}
	return n;
}

static int
open_out(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		client_die(EX_CANTCREAT, "%s: %s; make the directory first",
		    path, strerror(errno));
	}
	return fd;
}

static int
finish_salvage(const struct pbspool_salvage *s)
{
	size_t missing = tell_missing(s->ids);

	if (!s->is_json) {
		printf("%" PRIu64 " saved, %" PRIu64 " there before, %" PRIu64
		       " damaged\n",
		    s->written, s->present, s->broken);
	}
	flush();
	if (s->broken != 0) {
		return EXIT_DAMAGED;
	}
	if (missing != 0) {
		return EX_NOINPUT;
	}
	return s->present != 0 ? EX_CANTCREAT : EX_OK;
}

static int
salvage(int argc, char **argv)
{
	struct pbspool_salvage s = { .is_json = client_wants_json() };
	struct pbspool_files files;
	struct buf where = { 0 };
	const char *out = ".";
	const char *path = NULL;
	int status, dir, c, r;

	while ((c = getopt_long(argc, argv, "o:s:", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			s.only_alive = true;
			break;
		case 'o':
			out = optarg;
			break;
		case 's':
			path = optarg;
			break;
		default:
			client_usage(NULL);
		}
	}
	s.ids = read_ids(argc - optind, argv + optind);
	s.files = &files;
	dir = open_spool(path, &files);
	s.out = open_out(out);
	r = pbspool_salvage(&s, &where);
	if (r < 0) {
		client_die(status_of(r), "%.*s: %s", STR_ARG(buf_str(&where)),
		    strerror(-r));
	}
	status = finish_salvage(&s);
	map_free(&s.ids, NULL);
	pbspool_files_fini(&files);
	(void)close(s.out);
	(void)close(dir);
	return status;
}

int
main(int argc, char **argv)
{
	client_options(&argc, argv, usage);
	if (argc >= 2 && strcmp(argv[1], "check") == 0 && argc <= 3) {
		return check(argc == 3 ? argv[2] : NULL);
	}
	if (argc >= 2 && strcmp(argv[1], "salvage") == 0) {
		return salvage(argc - 1, argv + 1);
	}
	client_usage(argc < 2 ? "check or salvage?" : NULL);
}
