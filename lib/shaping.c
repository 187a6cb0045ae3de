#include "shaping.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "shaping_impl.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define LEAVE_AFTER_US (1800 * US_PER_S)
#define MX_MAX 100u
#define DEFERRALS_MAX 1000000u

/* What is being read. */
struct reader {
	struct shaping *s;
	struct buf *error;
	unsigned line; /* where the setting began */
	enum shaping_kind kind;
	struct shaping_section *section; /* NULL in a back-off set */
	struct shaping_backoff *backoff;
	bool is_begun; /* a section header came */
};

static int complain(const struct reader *r, unsigned line, const char *fmt, ...)
    PRINTF(3, 4);

static int
complain(const struct reader *r, unsigned line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(r->error, "%s:%u: %s", r->s->path, line, text);
	return -EINVAL;
}

/* ---- sections ----------------------------------------------------------- */

static const char *const kinds[] = {
	[SHAPING_DEFAULT] = "default",
	[SHAPING_PROVIDER] = "provider",
	[SHAPING_SITE] = "site",
	[SHAPING_DOMAIN] = "domain",
	[SHAPING_BACKOFF] = "backoff",
};

static struct shaping_section *
add_section(
    struct shaping *s, enum shaping_kind kind, struct str name, unsigned line)
{
	struct shaping_section *n = mem_alloc(sizeof(*n));

	n->kind = kind;
	n->name = str_dup(name);
	n->line = line;
	for (char *c = n->name; *c != '\0' && kind != SHAPING_PROVIDER; c++) {
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	}
	s->sections = mem_resize(s->sections,
	    (s->n_sections + 1) * sizeof(struct shaping_section *));
	s->sections[s->n_sections++] = n;
	return n;
}

static struct shaping_backoff *
add_backoff(struct shaping *s, struct str name, unsigned line)
{
	struct shaping_backoff *b = mem_alloc(sizeof(*b));

	b->name = str_dup(name);
	b->line = line;
	b->leave_after_us = LEAVE_AFTER_US;
	s->backoffs = mem_resize(s->backoffs,
	    (s->n_backoffs + 1) * sizeof(struct shaping_backoff *));
	s->backoffs[s->n_backoffs++] = b;
	return b;
}

static bool
is_word(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~') {
			return false;
		}
	}
	return s.len != 0;
}

static int
check_name(const struct reader *r, enum shaping_kind kind, struct str name)
{
	size_t max = kind == SHAPING_PROVIDER || kind == SHAPING_BACKOFF
	    ? SHAPING_NAME_MAX
	    : 255;
	char safe[80];

	if (kind == SHAPING_DEFAULT) {
		return name.len == 0
		    ? 0
		    : complain(r, r->line, "[default] has no name");
	}
	if (!is_word(name) || name.len > max) {
		return complain(r, r->line,
		    "[%s NAME] needs a name of 1 to %zu bytes without blanks",
		    kinds[kind], max);
	}
	if (kind == SHAPING_BACKOFF
		? shaping_backoff(r->s, name) != NULL
		: shaping_section(r->s, kind, name) != NULL) {
		return complain(r, r->line,
		    "[%s %s] is there already: put its settings together",
		    kinds[kind], str_safe(safe, sizeof(safe), name));
	}
	return 0;
}

static int
unknown_kind(const struct reader *r, struct str word)
{
	const char *best = "";
	unsigned least = UINT32_MAX;
	char name[64];

	(void)str_safe(name, sizeof(name), word);
	for (size_t i = 0; i < array_len(kinds); i++) {
		unsigned d = str_distance(name, kinds[i]);

		if (d < least) {
			least = d;
			best = kinds[i];
		}
	}
	return complain(
	    r, r->line, "unknown section [%s]; did you mean [%s]?", name, best);
}

/* "[provider google]". */
static int
begin_section(struct reader *r, struct str line)
{
	struct str name = { line.p + 1, line.len - 2 };
	struct str word = STR("");
	size_t kind = 0;

	if (line.p[line.len - 1] != ']') {
		return complain(r, r->line, "the ] of the section is missing");
	}
	name = str_trim(name);
	(void)str_split(&name, ' ', &word);
	name = str_trim(name);
	while (kind < array_len(kinds) && !str_is(word, kinds[kind])) {
		kind++;
	}
	if (kind == array_len(kinds)) {
		return unknown_kind(r, word);
	}
	r->kind = (enum shaping_kind)kind;
	r->section = NULL;
	r->backoff = NULL;
	if (check_name(r, r->kind, name) < 0) {
		return -EINVAL;
	}
	if (r->kind == SHAPING_DEFAULT) {
		r->section = r->s->sections[0];
		if (r->section->line != 0) {
			return complain(r, r->line,
			    "[default] is there already in line %u",
			    r->section->line);
		}
		r->section->line = r->line;
	} else if (r->kind == SHAPING_BACKOFF) {
		r->backoff = add_backoff(r->s, name, r->line);
	} else {
		r->section = add_section(r->s, r->kind, name, r->line);
	}
	r->is_begun = true;
	return 0;
}

/* ---- settings ----------------------------------------------------------- */

static int
take_mx(struct reader *r, struct str value)
{
	struct shaping_section *s = r->section;

	while (value.len != 0) {
		size_t len = 0;

		while (
		    len < value.len && strchr(" \t,", value.p[len]) == NULL) {
			len++;
		}
		if (len != 0) {
			struct str w = { value.p, len };

			if (s->n_mx == MX_MAX || !is_word(w) || len > 253) {
				return complain(r, r->line,
				    "mx: must be up to %u suffixes of host "
				    "names",
				    MX_MAX);
			}
			s->mx =
			    mem_resize(s->mx, (s->n_mx + 1) * sizeof(char *));
			s->mx[s->n_mx++] = str_dup(w);
		}
		len += len < value.len;
		value = (struct str){ value.p + len, value.len - len };
	}
	return 0;
}

/* "gentle after 10". */
static int
take_backoff(struct reader *r, struct str value)
{
	struct str name;
	uint64_t n;

	(void)str_split(&value, ' ', &name);
	value = str_trim(value);
	if (name.len == 0 || !str_starts(value, "after ")) {
		return complain(
		    r, r->line, "backoff: must be NAME after NUMBER");
	}
	value = str_trim((struct str){ value.p + 6, value.len - 6 });
	if (str_u64(value, DEFERRALS_MAX, &n) < 0 || n == 0) {
		return complain(r, r->line,
		    "backoff: must be NAME after NUMBER of deferrals");
	}
	free(r->section->backoff_name);
	r->section->backoff_name = str_dup(name);
	r->section->backoff_after = (uint32_t)n;
	r->section->backoff_line = r->line;
	return 0;
}

static int
take_reply(struct reader *r, struct str value)
{
	struct shaping_section *s = r->section;
	struct buf why = { 0 };
	struct shaping_rule *rule;
	int e = 0;

	if (r->s->n_rules == SHAPING_RULES_MAX) {
		return complain(
		    r, r->line, "more than %u reply rules", SHAPING_RULES_MAX);
	}
	e = shaping_rule_parse(value, &rule, &why);
	if (e < 0) {
		(void)complain(r, r->line, "reply: %.*s", (int)why.len,
		    (const char *)why.p);
	} else {
		rule->line = r->line;
		s->rules = mem_resize(
		    s->rules, (s->n_rules + 1) * sizeof(struct shaping_rule *));
		s->rules[s->n_rules++] = rule;
		r->s->n_rules++;
	}
	buf_fini(&why);
	return e;
}

static int
take_leave(struct reader *r, struct str value)
{
	uint32_t s;

	if (shaping_time(value, &s) < 0) {
		return complain(
		    r, r->line, "leave_after: must be a time, such as 30m");
	}
	r->backoff->leave_after_us = s * US_PER_S;
	return 0;
}

static const struct {
	const char *name;
	unsigned kinds; /* of sections, 1 << kind */
	int (*take)(struct reader *r, struct str value);
} others[] = {
	{ "mx", 1u << SHAPING_PROVIDER, take_mx },
	{ "backoff",
	    1u << SHAPING_DEFAULT | 1u << SHAPING_PROVIDER |
		1u << SHAPING_SITE | 1u << SHAPING_DOMAIN,
	    take_backoff },
	{ "reply",
	    1u << SHAPING_DEFAULT | 1u << SHAPING_PROVIDER |
		1u << SHAPING_SITE | 1u << SHAPING_DOMAIN,
	    take_reply },
	{ "leave_after", 1u << SHAPING_BACKOFF, take_leave },
};

static int
unknown_setting(const struct reader *r, struct str word)
{
	char name[64];
	const char *near;
	unsigned least = 4;

	near = shaping_limit_near(str_safe(name, sizeof(name), word));
	if (near != NULL) {
		least = str_distance(name, near);
	}
	for (size_t i = 0; i < array_len(others); i++) {
		unsigned d = str_distance(name, others[i].name);

		if ((others[i].kinds >> r->kind & 1) != 0 && d < least) {
			least = d;
			near = others[i].name;
		}
	}
	return complain(r, r->line, "unknown setting %s%s%s%s", name,
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
}

static int
take_setting(struct reader *r, struct str name, struct str value)
{
	struct shaping_limits *l =
	    r->section != NULL ? &r->section->limits : &r->backoff->limits;
	struct buf why = { 0 };
	int e;

	for (size_t i = 0; i < array_len(others); i++) {
		if (!str_is(name, others[i].name)) {
			continue;
		}
		if ((others[i].kinds >> r->kind & 1) == 0) {
			return complain(r, r->line, "%s is not for [%s]",
			    others[i].name, kinds[r->kind]);
		}
		return others[i].take(r, value);
	}
	e = shaping_limits_take(l, name, value, &why);
	if (e == -ENOENT) {
		(void)unknown_setting(r, name);
	} else if (e < 0) {
		char safe[64];

		(void)complain(r, r->line, "%.*s = %s: %.*s", STR_ARG(name),
		    str_safe(safe, sizeof(safe), value), (int)why.len,
		    (const char *)why.p);
	}
	buf_fini(&why);
	return e < 0 ? -EINVAL : 0;
}

/* A whole line that began at r->line. */
static int
take_line(struct reader *r, struct str line)
{
	struct str value = line;
	struct str name;

	if (line.p[0] == '[') {
		return begin_section(r, line);
	}
	if (!r->is_begun) {
		return complain(r, r->line,
		    "a section must begin first, such as [default]");
	}
	if (!str_split(&value, '=', &name) || name.len == line.len) {
		char safe[64];

		return complain(r, r->line, "not of the form name = value: %s",
		    str_safe(safe, sizeof(safe), line));
	}
	return take_setting(r, str_trim(name), str_trim(value));
}

/* ---- the file ----------------------------------------------------------- */

static int
read_lines(struct reader *r, struct str text)
{
	struct buf logical = { 0 };
	unsigned number = 0;
	struct str line;
	int e = 0;

	while (e == 0 && str_split(&text, '\n', &line)) {
		struct str trimmed = str_trim(line);

		number++;
		if (trimmed.len == 0 || trimmed.p[0] == '#') {
			continue;
		}
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			if (logical.len == 0) {
				e = complain(
				    r, number, "continues no line before it");
				break;
			}
			buf_u8(&logical, ' ');
			buf_add(&logical, trimmed.p, trimmed.len);
			continue;
		}
		if (logical.len != 0) {
			e = take_line(r, buf_str(&logical));
		}
		logical.len = 0;
		buf_add(&logical, trimmed.p, trimmed.len);
		r->line = number;
	}
	if (e == 0 && logical.len != 0) {
		e = take_line(r, buf_str(&logical));
	}
	buf_fini(&logical);
	return e;
}

static int
find_backoff(const struct reader *r, const char *name, unsigned line,
    const struct shaping_backoff **out)
{
	const char *best = NULL;
	unsigned least = 6;

	if (name == NULL) {
		return 0;
	}
	*out = shaping_backoff(r->s, str_of(name));
	if (*out != NULL) {
		return 0;
	}
	for (size_t i = 0; i < r->s->n_backoffs; i++) {
		unsigned d = str_distance(name, r->s->backoffs[i]->name);

		if (d < least) {
			least = d;
			best = r->s->backoffs[i]->name;
		}
	}
	return complain(r, line, "there is no [backoff %.63s]%s%s%s", name,
	    best != NULL ? "; did you mean " : "", best != NULL ? best : "",
	    best != NULL ? "?" : "");
}

/* Back-off sets may stand behind what names them. */
static int
connect_names(const struct reader *r)
{
	for (size_t i = 0; i < r->s->n_sections; i++) {
		struct shaping_section *s = r->s->sections[i];

		if (s->kind == SHAPING_PROVIDER && s->n_mx == 0) {
			return complain(r, s->line,
			    "[provider %s] has no mx: nothing is its mail",
			    s->name);
		}
		if (find_backoff(
			r, s->backoff_name, s->backoff_line, &s->backoff) < 0) {
			return -EINVAL;
		}
		for (size_t k = 0; k < s->n_rules; k++) {
			if (find_backoff(r, s->rules[k]->backoff_name,
				s->rules[k]->line, &s->rules[k]->backoff) < 0) {
				return -EINVAL;
			}
		}
	}
	return 0;
}

int
shaping_parse(
    const char *path, struct str text, struct shaping **out, struct buf *error)
{
	struct shaping *s = mem_alloc(sizeof(*s));
	struct reader r = { .s = s, .error = error };
	int e;

	s->path = mem_strdup(path);
	(void)add_section(s, SHAPING_DEFAULT, STR(""), 0);
	e = read_lines(&r, text);
	if (e == 0) {
		e = connect_names(&r);
	}
	if (e < 0) {
		shaping_free(&s);
		return e;
	}
	*out = s;
	return 0;
}

int
shaping_load(const char *dir, struct shaping **out, struct buf *error)
{
	struct buf text = { 0 };
	char path[4096];
	int e;

	(void)snprintf(path, sizeof(path), "%s/shaping.cf", dir);
	e = file_load_text(path, FILE_MAX_BYTES, &text, error);
	if (e == -ENOENT) {
		return shaping_parse(
		    "built-in", str_of(shaping_builtin), out, error);
	}
	if (e == 0) {
		e = shaping_parse(path, buf_str(&text), out, error);
	}
	buf_fini(&text);
	return e;
}

int
shaping_check(const char *dir, struct buf *error)
{
	struct shaping *s = NULL;
	int e = shaping_load(dir, &s, error);

	shaping_free(&s);
	return e;
}
