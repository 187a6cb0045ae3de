#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "ipc.h"
#include "str.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define EXPAND_DEPTH 16

/* What a parameter is set to, beside the values in struct conf. */
struct setting {
	char *raw;  /* as in the file; NULL: not set */
	char *text; /* $ expanded */
	unsigned line;
};

struct loaded {
	struct conf conf;	  /* first: conf_free casts back */
	struct setting *settings; /* one for each row */
	char path[4096];
};

static struct loaded *
loaded_of(const struct conf *c)
{
	return container_of((struct conf *)(uintptr_t)c, struct loaded, conf);
}

/* ---- values ------------------------------------------------------------- */

static int
parse_unit(
    struct str s, const char *units, const uint64_t *factors, uint64_t *out)
{
	uint64_t factor = 1, v;
	const char *unit;
	int r;

	if (s.len == 0) {
		return -EINVAL;
	}
	unit = strchr(units, s.p[s.len - 1]);
	if (unit != NULL) {
		factor = factors[unit - units];
		s.len--;
	}
	r = str_u64(s, UINT64_MAX / factor, &v);
	if (r == 0) {
		*out = v * factor;
	}
	return r;
}

static int
parse_number(const struct param *p, struct str s, uint64_t *out)
{
	static const uint64_t times[] = { 1, 60, 3600, 86400, 604800 };
	static const uint64_t sizes[] = { 1024, 1024, 1 << 20, 1 << 20, 1 << 30,
		1 << 30 };
	uint64_t v;
	int r;

	if (p->type == PARAM_TIME) {
		r = parse_unit(s, "smhdw", times, &v);
	} else if (p->type == PARAM_SIZE) {
		r = parse_unit(s, "kKmMgG", sizes, &v);
	} else {
		r = str_u64(s, UINT64_MAX, &v);
	}
	if (r < 0) {
		return r;
	}
	if (v < p->min || (p->max != 0 && v > p->max)) {
		return -ERANGE;
	}
	if (p->type == PARAM_TIME) {
		if (v > UINT64_MAX / US_PER_S) {
			return -ERANGE;
		}
		v *= US_PER_S;
	}
	*out = v;
	return 0;
}

static bool
is_choice(const char *choices, const char *word)
{
	struct str rest = str_of(choices), part;

	while (str_split(&rest, ' ', &part)) {
		if (str_is(part, word)) {
			return true;
		}
	}
	return false;
}

/* Stores a text as the parameter's value. 0, -EINVAL or -ERANGE. */
static int
set_value(struct conf *c, const struct param *p, const char *text)
{
	void *at = (char *)c + p->offset;

	switch (p->type) {
	case PARAM_CHOICE:
		if (!is_choice(p->choices, text)) {
			return -EINVAL;
		}
		__attribute__((fallthrough));
	case PARAM_STRING:
	case PARAM_LIST:
		*(const char **)at = text;
		return 0;
	case PARAM_BOOL:
		if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0) {
			return -EINVAL;
		}
		*(bool *)at = text[0] == 'y';
		return 0;
	case PARAM_TIME:
	case PARAM_SIZE:
	case PARAM_NUMBER:
		break;
	}
	return parse_number(p, str_of(text), at);
}

/* What would be right, for a message about a wrong value. */
static void
describe(const struct param *p, struct buf *out)
{
	const char *unit = p->type == PARAM_TIME ? " seconds" : "";

	if (p->type == PARAM_CHOICE) {
		buf_printf(out, "one of: %s", p->choices);
	} else if (p->type == PARAM_BOOL) {
		buf_puts(out, "yes or no");
	} else {
		buf_printf(out, "%s from %llu",
		    p->type == PARAM_TIME	? "a time (30s 5m 2h 1d)"
			: p->type == PARAM_SIZE ? "a size (64K 10M 2G)"
						: "a number",
		    (unsigned long long)p->min);
		if (p->max != 0) {
			buf_printf(out, " to %llu", (unsigned long long)p->max);
		}
		buf_puts(out, unit);
	}
}

/* ---- the file ----------------------------------------------------------- */

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\0' ||
		    strchr("abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
			s.p[i]) == NULL) {
			return false;
		}
	}
	return s.len != 0;
}

/* One logical line "name = value" that began at the line number given. */
static int
take_line(struct loaded *l, struct str line, unsigned number, struct buf *error)
{
	struct str name, value = line;
	const struct param *p;
	struct setting *set;
	autofree char *key = NULL;

	if (!str_split(&value, '=', &name) || name.len == line.len ||
	    !is_name(str_trim(name))) {
		buf_printf(error, "%s:%u: not of the form name = value: %.60s",
		    l->path, number, line.p);
		return -EINVAL;
	}
	key = str_dup(str_trim(name));
	p = param_find(key);
	if (p == NULL) {
		const char *near = param_nearest(key);

		buf_printf(error, "%s:%u: unknown parameter %s%s%s%s", l->path,
		    number, key, near != NULL ? "; did you mean " : "",
		    near != NULL ? near : "", near != NULL ? "?" : "");
		return -EINVAL;
	}
	if (strcmp(key, "mail_version") == 0) {
		buf_printf(error, "%s:%u: mail_version cannot be set", l->path,
		    number);
		return -EINVAL;
	}
	set = &l->settings[p - params];
	free(set->raw);
	set->raw = str_dup(str_trim(value));
	set->line = number;
	return 0;
}

static int
parse_file(struct loaded *l, struct str text, struct buf *error)
{
	struct str line;
	struct buf logical = { 0 };
	unsigned number = 0, began = 0;
	int r = 0;

	while (r == 0 && str_split(&text, '\n', &line)) {
		struct str trimmed = str_trim(line);

		number++;
		if (trimmed.len == 0 || trimmed.p[0] == '#') {
			continue;
		}
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			if (logical.len == 0) {
				buf_printf(error,
				    "%s:%u: continues no line before it",
				    l->path, number);
				r = -EINVAL;
				break;
			}
			buf_u8(&logical, ' ');
			buf_add(&logical, trimmed.p, trimmed.len);
			continue;
		}
		if (logical.len != 0) {
			buf_u8(&logical, 0);
			logical.len--;
			r = take_line(l, buf_str(&logical), began, error);
		}
		logical.len = 0;
		buf_add(&logical, trimmed.p, trimmed.len);
		began = number;
	}
	if (r == 0 && logical.len != 0) {
		buf_u8(&logical, 0);
		logical.len--;
		r = take_line(l, buf_str(&logical), began, error);
	}
	buf_fini(&logical);
	return r;
}

/* ---- expansion of $name ------------------------------------------------- */

static int expand(struct loaded *l, const char *raw, int depth, struct buf *out,
    struct buf *error);

static int
expand_name(struct loaded *l, struct str name, int depth, struct buf *out,
    struct buf *error)
{
	autofree char *key = str_dup(name);
	const struct param *p = param_find(key);
	const struct setting *set;

	if (p == NULL) {
		buf_printf(error, "%s: $%s is not a parameter", l->path, key);
		return -EINVAL;
	}
	set = &l->settings[p - params];
	if (set->text != NULL) {
		buf_puts(out, set->text);
		return 0;
	}
	return expand(
	    l, set->raw != NULL ? set->raw : p->def, depth + 1, out, error);
}

static int
expand(struct loaded *l, const char *raw, int depth, struct buf *out,
    struct buf *error)
{
	if (depth > EXPAND_DEPTH) {
		buf_printf(error, "%s: parameters refer to each other: %s",
		    l->path, raw);
		return -EINVAL;
	}
	while (*raw != '\0') {
		const char *start = raw + 1, *end;
		int r;

		if (*raw != '$') {
			buf_u8(out, (uint8_t)*raw++);
			continue;
		}
		if (*start == '$') {
			buf_u8(out, '$');
			raw += 2;
			continue;
		}
		start += *start == '{';
		for (end = start; is_name((struct str){ end, 1 }); end++) {
		}
		r = expand_name(l, (struct str){ start, (size_t)(end - start) },
		    depth, out, error);
		if (r < 0) {
			return r;
		}
		raw = start[-1] == '{' && *end == '}' ? end + 1 : end;
	}
	return 0;
}

/* Parameters whose default depends on the machine. */
static void
fill_host_name(struct loaded *l)
{
	struct setting *host = &l->settings[param_find("myhostname") - params];
	struct setting *domain = &l->settings[param_find("mydomain") - params];
	char name[256] = "localhost.localdomain";
	const char *dot;

	if (host->raw == NULL || host->raw[0] == '\0') {
		(void)gethostname(name, sizeof(name) - 1);
		free(host->text);
		host->text = mem_strdup(name);
	} else {
		str_copy(name, sizeof(name), str_of(host->raw));
	}
	if (domain->raw == NULL || domain->raw[0] == '\0') {
		dot = strchr(name, '.');
		free(domain->text);
		domain->text = mem_strdup(dot != NULL ? dot + 1 : name);
	}
}

static int
resolve_values(struct loaded *l, struct buf *error)
{
	for (size_t i = 0; i < n_params; i++) {
		struct setting *set = &l->settings[i];
		const struct param *p = &params[i];
		struct buf text = { 0 };
		int r = 0;

		if (set->text == NULL) {
			r = expand(l, set->raw != NULL ? set->raw : p->def, 0,
			    &text, error);
			buf_u8(&text, 0);
			set->text = mem_strdup((const char *)text.p);
			buf_fini(&text);
		}
		if (r < 0) {
			return r;
		}
		r = set_value(&l->conf, p, set->text);
		if (r < 0) {
			buf_printf(error, "%s:%u: %s = %s: must be ", l->path,
			    set->line, p->name, set->text);
			describe(p, error);
			return -EINVAL;
		}
	}
	return 0;
}

/* ---- checks between parameters ------------------------------------------ */

static int
complain(const struct loaded *l, struct buf *error, const char *name,
    const char *what)
{
	const struct setting *set = &l->settings[param_find(name) - params];

	buf_printf(error, "%s:%u: %s = %s: %s", l->path, set->line, name,
	    set->text, what);
	return -EINVAL;
}

static int
bad_time(void *arg, const char *word, size_t len)
{
	static const struct param any = { .type = PARAM_TIME, .min = 1 };
	uint64_t us;

	(void)arg;
	return parse_number(&any, (struct str){ word, len }, &us);
}

/* "address:port/role"; master binds it and says more. */
static int
bad_listener(void *arg, const char *word, size_t len)
{
	struct str s = { word, len }, address, port;
	const char *colon;
	uint64_t n;

	(void)arg;
	if (!str_split(&s, '/', &address) ||
	    (!str_is(s, "submission") && !str_is(s, "submissions") &&
		!str_is(s, "mx"))) {
		return -EINVAL;
	}
	colon = memrchr(address.p, ':', address.len);
	if (colon == NULL) {
		return -EINVAL;
	}
	port = (struct str){ colon + 1,
		address.len - (size_t)(colon + 1 - address.p) };
	return str_u64(port, 65535, &n) < 0 || n == 0 ? -EINVAL : 0;
}

static int
check_lists(const struct loaded *l, struct buf *error)
{
	const struct conf *c = &l->conf;

	if (conf_list_each(c->retry_schedule, bad_time, NULL) < 0 ||
	    c->retry_schedule[0] == '\0') {
		return complain(l, error, "retry_schedule",
		    "must be times such as 2m 10m 1h");
	}
	if (conf_list_each(c->webhook_retry_schedule, bad_time, NULL) < 0 ||
	    c->webhook_retry_schedule[0] == '\0') {
		return complain(l, error, "webhook_retry_schedule",
		    "must be times such as 30s 10m 1h");
	}
	if (conf_list_each(c->smtpd_listen, bad_listener, NULL) < 0) {
		return complain(l, error, "smtpd_listen",
		    "must be address:port/role, with role submission, "
		    "submissions or mx");
	}
	return 0;
}

/* The only place where parameters are held against each other. */
static int
conf_check(const struct loaded *l, struct buf *error)
{
	const struct conf *c = &l->conf;

	if (strcmp(c->log_to, "syslog") != 0 &&
	    strcmp(c->log_to, "stderr") != 0 &&
	    strncmp(c->log_to, "file:/", 6) != 0) {
		return complain(
		    l, error, "log_to", "must be syslog, stderr or file:/PATH");
	}
	if (c->mynetworks[0] != '\0' && c->mynetworks_account[0] == '\0') {
		return complain(l, error, "mynetworks",
		    "needs mynetworks_account, the account they count as");
	}
	if (c->segment_size < c->message_size_limit / 64) {
		return complain(l, error, "segment_size",
		    "must be at least message_size_limit / 64");
	}
	if (c->spool_directory[0] != '/' || c->state_directory[0] != '/' ||
	    c->run_directory[0] != '/') {
		return complain(l, error, "spool_directory",
		    "this, state_directory and run_directory must begin with /");
	}
	if (strlen(c->run_directory) > 90) {
		return complain(l, error, "run_directory",
		    "is too long for the name of a socket (90 bytes)");
	}
	return check_lists(l, error);
}

const char *
conf_directory(const char *dir)
{
	if (dir == NULL) {
		dir = getenv("PACKETBOAT_CONFIG");
	}
	return dir != NULL ? dir : PB_CONFDIR;
}

int
conf_load(const char *dir, struct conf **out, struct buf *error)
{
	struct loaded *l = mem_alloc(sizeof(*l));
	struct buf text = { 0 };
	int r;

	dir = conf_directory(dir);
	l->settings = mem_alloc(n_params * sizeof(*l->settings));
	l->conf.dir = mem_strdup(dir);
	(void)snprintf(l->path, sizeof(l->path), "%s/packetboat.cf", dir);
	r = file_load_text(l->path, FILE_MAX_BYTES, &text, error);
	if (r == -ENOENT) {
		buf_printf(error, "%s: %s", l->path, strerror(ENOENT));
	}
	if (r == 0) {
		r = parse_file(l, buf_str(&text), error);
	}
	if (r == 0) {
		fill_host_name(l);
		r = resolve_values(l, error);
	}
	if (r == 0) {
		r = conf_check(l, error);
	}
	buf_fini(&text);
	if (r == 0) {
		*out = &l->conf;
	} else {
		struct conf *c = &l->conf;

		conf_free(&c);
	}
	return r;
}

void
conf_free(struct conf **c)
{
	struct loaded *l;

	if (*c == NULL) {
		return;
	}
	l = loaded_of(*c);
	for (size_t i = 0; i < n_params; i++) {
		free(l->settings[i].raw);
		free(l->settings[i].text);
	}
	free(l->settings);
	free(l->conf.dir);
	free(l);
	*c = NULL;
}

void
conf_print(const struct conf *c, const struct param *p, struct buf *out)
{
	buf_puts(out, conf_text(c, p));
}

const char *
conf_text(const struct conf *c, const struct param *p)
{
	return loaded_of(c)->settings[p - params].text;
}

bool
conf_is_set(const struct conf *c, const struct param *p)
{
	return loaded_of(c)->settings[p - params].raw != NULL;
}

int
conf_list_each(const char *list,
    int (*fn)(void *arg, const char *word, size_t len), void *arg)
{
	static const char between[] = ", \t";

	for (const char *at = list; *at != '\0';) {
		size_t n = strcspn(at, between);

		if (n != 0) {
			int r = fn(arg, at, n);

			if (r != 0) {
				return r;
			}
		}
		at += n;
		at += strspn(at, between);
	}
	return 0;
}
