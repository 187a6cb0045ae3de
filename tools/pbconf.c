/* pbconf(1): shows and edits the parameters of packetboat.cf. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "buf.h"
#include "client.h"
#include "ipc.h"

static const char usage[] =
    "usage: pbconf [-c DIR] [--json] [-n | -d | -h] [name ...]\n"
    "       pbconf [-c DIR] -e name=value ...\n";

static bool only_set;
static bool defaults;
static bool only_values;

static void
show(const struct param *p)
{
	const char *value = defaults ? p->def : conf_text(client_conf(), p);

	if (client_wants_json()) {
		autofree char *text = NULL;
		json_t *o = json_object();

		json_object_set_new(o, p->name, json_string(value));
		text = json_dumps(o, 0);
		puts(text);
		json_decref(o);
	} else if (only_values) {
		puts(value);
	} else {
		printf("%s = %s\n", p->name, value);
	}
}

static const struct param *
find(const char *name)
{
	const struct param *p = param_find(name);

	if (p == NULL) {
		const char *near = param_nearest(name);

		client_die(EX_DATAERR, "unknown parameter %s%s%s%s", name,
		    near != NULL ? "; did you mean " : "",
		    near != NULL ? near : "", near != NULL ? "?" : "");
	}
	return p;
}

/* ---- -e ----------------------------------------------------------------- */

static void
read_all(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL) {
		client_die(EX_NOINPUT, "%s: %s", path, strerror(errno));
	}
	do {
		n = fread(buf_reserve(out, 4096), 1, 4096, f);
		out->len += n;
	} while (n != 0);
	(void)fclose(f);
}

static bool
sets(struct str line, const char *name)
{
	size_t n = strlen(name);

	if (line.len < n || memcmp(line.p, name, n) != 0) {
		return false;
	}
	line = str_trim((struct str){ line.p + n, line.len - n });
	return line.len != 0 && line.p[0] == '=';
}

/* Copies the file, with the (last) setting of name replaced or added. */
static void
edit(struct str text, const char *name, const char *value, struct buf *out)
{
	struct str line;
	bool is_dropping = false, is_done = false;

	while (str_split(&text, '\n', &line)) {
		bool continues =
		    line.len != 0 && (line.p[0] == ' ' || line.p[0] == '\t');

		if (is_dropping && continues && str_trim(line).len != 0) {
			continue;
		}
		is_dropping = sets(line, name);
		if (is_dropping && !is_done) {
			buf_printf(out, "%s = %s\n", name, value);
			is_done = true;
		} else if (!is_dropping) {
			buf_add(out, line.p, line.len);
			buf_u8(out, '\n');
		}
	}
	if (!is_done) {
		buf_printf(out, "%s = %s\n", name, value);
	}
}

/* Replaces the file in one step; a crash leaves the old or the new one. */
static void
replace(const char *path, const struct buf *text)
{
	autofree char *tmp = NULL;
	struct stat st;
	struct buf name = { 0 };
	int fd;

	buf_printf(&name, "%s.new", path);
	buf_u8(&name, 0);
	tmp = mem_strdup((const char *)name.p);
	buf_fini(&name);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text->p, text->len) != (ssize_t)text->len) {
		client_die(EX_CANTCREAT, "%s: %s", tmp, strerror(errno));
	}
	if (stat(path, &st) == 0) {
		(void)!fchown(fd, st.st_uid, st.st_gid);
		(void)fchmod(fd, st.st_mode & 07777);
	}
	if (fsync(fd) < 0 || close(fd) < 0 || rename(tmp, path) < 0) {
		client_die(EX_IOERR, "%s: %s", path, strerror(errno));
	}
}

static void
edit_all(char **settings)
{
	struct buf path = { 0 }, text = { 0 };

	buf_printf(&path, "%s/packetboat.cf", client_conf()->dir);
	buf_u8(&path, 0);
	read_all((const char *)path.p, &text);
	for (; *settings != NULL; settings++) {
		char *equals = strchr(*settings, '=');
		struct buf next = { 0 };
		struct str name;

		if (equals == NULL) {
			client_usage("-e needs name=value");
		}
		name = str_trim(
		    (struct str){ *settings, (size_t)(equals - *settings) });
		str_copy(*settings, name.len + 1, name);
		(void)find(*settings);
		edit(buf_str(&text), *settings, equals + 1, &next);
		buf_fini(&text);
		text = next;
	}
	replace((const char *)path.p, &text);
	buf_fini(&text);
	buf_fini(&path);
}

int
main(int argc, char **argv)
{
	int c;

	client_init(&argc, argv, usage);
	while ((c = getopt(argc, argv, "ndhe")) != -1) {
		switch (c) {
		case 'n':
			only_set = true;
			break;
		case 'd':
			defaults = true;
			break;
		case 'h':
			only_values = true;
			break;
		case 'e':
			edit_all(argv + optind);
			return EX_OK;
		default:
			client_usage(NULL);
		}
	}
	for (int i = optind; i < argc; i++) {
		show(find(argv[i]));
	}
	for (size_t i = 0; i < n_params && optind == argc; i++) {
		if (!only_set || conf_is_set(client_conf(), &params[i])) {
			show(&params[i]);
		}
	}
	return EX_OK;
}
