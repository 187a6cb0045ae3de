#include "bounce_cf.h"

#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "pattern.h"

/* A file beyond this is none that a person keeps, bytes. */
#define FILE_MAX (1024 * 1024)

static const struct {
	const char *name;
	uint8_t phase; /* enum reply_phase */
} phases[] = {
	{ "connect", REPLY_CONNECT },
	{ "starttls", REPLY_STARTTLS },
	{ "mail", REPLY_MAIL },
	{ "rcpt", REPLY_RCPT },
	{ "data", REPLY_DATA },
	{ "content", REPLY_DOT },
	{ "report", REPLY_REPORT },
};

static const char *const settings[] = { "code", "enhanced", "host", "phase",
	"permanent", "temporary" };

/* One line being read. The strings of the rule are in here. */
struct reader {
	const char *path;
	unsigned line;
	struct str rest;
	struct buf *error;
	struct reply_rule rule;
	char enh[16];
	char host[256];
	char text[BOUNCE_CF_TEXT_MAX + 1];
	char regex[BOUNCE_CF_TEXT_MAX + 1];
};

static int complain(struct reader *r, const char *fmt, ...) PRINTF(2, 3);

static int
complain(struct reader *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(r->error, "%s:%u: %s", r->path, r->line, text);
	return -EINVAL;
}

static struct str
take_word(struct reader *r)
{
	struct str s = str_trim(r->rest);
	size_t n = 0;

	while (n < s.len && s.p[n] != ' ' && s.p[n] != '\t') {
		n++;
	}
	r->rest = str_trim((struct str){ s.p + n, s.len - n });
	return (struct str){ s.p, n };
}

/*
 * Takes what stands between two marks (" or /) to dst; before a mark that is
 * meant itself stands a backslash.
 */
static int
take_quoted(struct reader *r, char mark, char *dst)
{
	struct str s = r->rest;
	size_t n = 0, i = 1;

	while (i < s.len && s.p[i] != mark) {
		if (s.p[i] == '\\' && i + 1 < s.len && s.p[i + 1] == mark) {
			i++;
		} else if (s.p[i] == '\\' && i + 1 < s.len && mark == '/') {
			/* both bytes belong to the expression */
			if (n < BOUNCE_CF_TEXT_MAX) {
				dst[n] = '\\';
			}
			n++;
			i++;
		}
		if (n < BOUNCE_CF_TEXT_MAX) {
			dst[n] = s.p[i];
		}
		n++;
		i++;
	}
	if (i >= s.len) {
		return complain(r, "the closing %c is missing", mark);
	}
	if (n == 0 || n > BOUNCE_CF_TEXT_MAX) {
		return complain(r, "write 1 to %u bytes between %c and %c",
		    BOUNCE_CF_TEXT_MAX, mark, mark);
	}
	dst[n] = '\0';
	r->rest = str_trim((struct str){ s.p + i + 1, s.len - i - 1 });
	return 0;
}

/* Texts are compared in lower case and with single blanks. */
static void
fold(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; p++) {
		bool is_blank = *p == ' ' || *p == '\t';

		if (is_blank && (to == text || to[-1] != ' ')) {
			*to++ = ' ';
		} else if (!is_blank) {
			*to++ = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		}
	}
	*to = '\0';
}

static int
take_text(struct reader *r)
{
	if (r->rule.text != NULL) {
		return complain(r,
		    "a rule has one \"text\"; use * in it, or "
		    "two rules");
	}
	if (take_quoted(r, '"', r->text) < 0) {
		return -EINVAL;
	}
	fold(r->text);
	if (r->text[strspn(r->text, "* ")] == '\0') {
		return complain(r, "\"%s\" fits every reply", r->text);
	}
	r->rule.text = r->text;
	return 0;
}

static int
take_regex(struct reader *r)
{
	struct buf why = { 0 };
	regex_t re;
	int e;

	if (r->rule.regex != NULL) {
		return complain(r, "a rule has one /expression/");
	}
	if (take_quoted(r, '/', r->regex) < 0) {
		return -EINVAL;
	}
	if (pattern_compile(&re, r->regex, 0, &why) < 0) {
		e = complain(
		    r, "/%s/: %.*s", r->regex, (int)why.len, (char *)why.p);
		buf_fini(&why);
		return e;
	}
	regfree(&re);
	r->rule.regex = r->regex;
	return 0;
}

static int
take_code(struct reader *r, struct str value)
{
	uint64_t code;

	if (value.len != 3 || str_u64(value, 599, &code) < 0 || code < 400) {
		return complain(r, "code= takes a reply code from 400 to 599");
	}
	r->rule.code = (uint16_t)code;
	return 0;
}

static bool
is_enhanced_pattern(struct str s)
{
	struct str rest = s, part;
	unsigned n = 0;
	uint64_t v;

	while (str_split(&rest, '.', &part)) {
		n++;
		if (!str_is(part, "*") &&
		    (part.len > 3 || str_u64(part, 999, &v) < 0)) {
			return false;
		}
	}
	return n == 3;
}

static int
take_enhanced(struct reader *r, struct str value)
{
	if (!is_enhanced_pattern(value) || value.len >= sizeof(r->enh)) {
		return complain(r,
		    "enhanced= takes three numbers with dots "
		    "between, such as 5.7.1; * for any number");
	}
	str_copy(r->enh, sizeof(r->enh), value);
	r->rule.enh = r->enh;
	return 0;
}

static int
take_host(struct reader *r, struct str value)
{
	if (value.len == 0 || value.len >= sizeof(r->host) ||
	    value.p[0] == '.' || memchr(value.p, '*', value.len) != NULL) {
		return complain(r,
		    "host= takes a domain, such as outlook.com: "
		    "it stands for all hosts in it");
	}
	str_copy(r->host, sizeof(r->host), value);
	fold(r->host);
	r->rule.host = r->host;
	return 0;
}

int
bounce_cf_phase(struct str name, uint8_t *out)
{
	for (size_t i = 0; i < array_len(phases); i++) {
		if (str_is(name, phases[i].name)) {
			*out = phases[i].phase;
			return 0;
		}
	}
	return -EINVAL;
}

static int
take_phases(struct reader *r, struct str value)
{
	char safe[64];
	struct str name;
	uint8_t phase;

	while (str_split(&value, ',', &name)) {
		if (bounce_cf_phase(name, &phase) < 0) {
			return complain(r,
			    "phase %s: write connect, starttls, mail, rcpt, "
			    "data, content or report, with commas between",
			    str_safe(safe, sizeof(safe), name));
		}
		r->rule.phases |= phase;
	}
	return 0;
}

static int
unknown_setting(struct reader *r, struct str name)
{
	const char *best = settings[0];
	unsigned least = UINT32_MAX;
	char word[64];

	(void)str_safe(word, sizeof(word), name);
	for (size_t i = 0; i < array_len(settings); i++) {
		unsigned d = str_distance(word, settings[i]);

		if (d < least) {
			least = d;
			best = settings[i];
		}
	}
	return complain(r,
	    "%s is no condition; the nearest is %s%s; texts stand between \" "
	    "and \"",
	    word, best, strcmp(best, "permanent") < 0 ? "=" : "");
}

static int
take_setting(struct reader *r, struct str word)
{
	struct str value = word, name;

	if (str_is(word, "permanent") || str_is(word, "temporary")) {
		r->rule.permanence =
		    word.p[0] == 'p' ? REPLY_PERMANENT : REPLY_TEMPORARY;
		return 0;
	}
	(void)str_split(&value, '=', &name);
	if (name.len == word.len) {
		return unknown_setting(r, name);
	}
	if (str_is(name, "code")) {
		return take_code(r, value);
	}
	if (str_is(name, "enhanced")) {
		return take_enhanced(r, value);
	}
	if (str_is(name, "host")) {
		return take_host(r, value);
	}
	if (str_is(name, "phase")) {
		return take_phases(r, value);
	}
	return unknown_setting(r, name);
}

static int
take_class(struct reader *r)
{
	struct str word = take_word(r);
	enum reason reason;
	char safe[64];

	if (reason_parse(word, &reason) < 0) {
		(void)str_safe(safe, sizeof(safe), word);
		return complain(r, "%s is no class; the nearest is %s", safe,
		    reason_nearest(safe));
	}
	r->rule.reason = (uint8_t)reason;
	return 0;
}

static int
take_condition(struct reader *r)
{
	switch (r->rest.p[0]) {
	case '"':
		return take_text(r);
	case '/':
		return take_regex(r);
	default:
		return take_setting(r, take_word(r));
	}
}

static int
read_rule(struct reader *r, struct reply_rules *rules)
{
	int e = take_class(r);

	while (e == 0 && r->rest.len > 0 && r->rest.p[0] != '#') {
		e = take_condition(r);
	}
	if (e < 0) {
		return e;
	}
	if (reply_rules_get(rules, BOUNCE_CF_RULES_MAX - 1) != NULL) {
		return complain(r, "more than %u rules", BOUNCE_CF_RULES_MAX);
	}
	r->rule.line = r->line;
	if (reply_class_add_rule(rules, &r->rule) < 0) {
		return complain(r,
		    "the rule fits every reply: add a \"text\", "
		    "a /regular expression/, code=, enhanced=, "
		    "host= or phase=");
	}
	return 0;
}

int
bounce_cf_parse(const char *path, struct str text, struct reply_rules *rules,
    struct buf *error)
{
	unsigned n = 0;
	struct str line;

	while (str_split(&text, '\n', &line)) {
		struct reader r = { .path = path,
			.line = ++n,
			.rest = str_trim(line),
			.error = error };

		if (memchr(line.p, '\0', line.len) != NULL) {
			return complain(&r, "a NUL byte: this is no text");
		}
		if (r.rest.len > 0 && r.rest.p[0] != '#' &&
		    read_rule(&r, rules) < 0) {
			return -EINVAL;
		}
	}
	return 0;
}

/* ---- the file ----------------------------------------------------------- */

static int
load(const char *path, struct reply_rules *rules, struct buf *error)
{
	struct buf text = { 0 };
	int e = file_load_text(path, FILE_MAX, &text, error);

	if (e == -ENOENT) {
		e = 0;
	} else if (e == 0) {
		e = bounce_cf_parse(path, buf_str(&text), rules, error);
	}
	buf_fini(&text);
	return e;
}

int
bounce_cf_load(const char *dir, struct reply_rules **out, struct buf *error)
{
	struct reply_rules *rules = reply_rules_new();
	char path[4096];
	int e;

	(void)snprintf(path, sizeof(path), "%s/bounce.cf", dir);
	e = load(path, rules, error);
	if (e < 0) {
		reply_rules_free(&rules);
		return e;
	}
	*out = rules;
	return 0;
}

int
bounce_cf_check(const char *dir, struct buf *error)
{
	struct reply_rules *rules = NULL;
	int e = bounce_cf_load(dir, &rules, error);

	reply_rules_free(&rules);
	return e;
}

/* ---- the way back ------------------------------------------------------- */

static void
put_quoted(struct buf *out, char mark, const char *text)
{
	buf_u8(out, ' ');
	buf_u8(out, (uint8_t)mark);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0' && mark == '/') {
			buf_u8(out, '\\');
			p++;
		} else if (*p == mark) {
			buf_u8(out, '\\');
		}
		buf_u8(out, (uint8_t)*p);
	}
	buf_u8(out, (uint8_t)mark);
}

void
bounce_cf_print(const struct reply_rule *rule, struct buf *out)
{
	const char *sep = " phase=";

	buf_printf(out, "%-16s", reason_desc((enum reason)rule->reason)->name);
	if (rule->code != 0) {
		buf_printf(out, " code=%u", rule->code);
	}
	if (rule->enh != NULL) {
		buf_printf(out, " enhanced=%s", rule->enh);
	}
	if (rule->host != NULL) {
		buf_printf(out, " host=%s", rule->host);
	}
	for (size_t i = 0; i < array_len(phases); i++) {
		if ((rule->phases & phases[i].phase) != 0) {
			buf_printf(out, "%s%s", sep, phases[i].name);
			sep = ",";
		}
	}
	if (rule->text != NULL) {
		put_quoted(out, '"', rule->text);
	}
	if (rule->regex != NULL) {
		put_quoted(out, '/', rule->regex);
	}
	if (rule->permanence != REPLY_AS_SAID) {
		buf_puts(out,
		    rule->permanence == REPLY_PERMANENT ? " permanent"
							: " temporary");
	}
	buf_u8(out, '\n');
}
