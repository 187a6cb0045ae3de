#include "reply_class.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "buf.h"
#include "pattern.h"

/* Text beyond this many bytes does not change the class. */
#define TEXT_MAX (REPLY_TEXT_SIZE - 1)

struct own_rule {
	struct reply_rule rule;
	regex_t *regex; /* NULL: the rule has none */
};

struct reply_rules {
	struct own_rule *rules;
	size_t n;
};

/* The question in the form that rules are compared with. */
struct matter {
	unsigned code;
	uint8_t phases;
	unsigned enh[3]; /* class 0: none */
	struct str host;
	char text[TEXT_MAX];
	size_t len;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to three digits; returns how many bytes, 0 when there is no number. */
static size_t
number_scan(struct str s, unsigned *out)
{
	size_t n = 0;
	unsigned v = 0;

	while (n < s.len && n < 3 && is_digit(s.p[n])) {
		v = v * 10 + (unsigned)(s.p[n] - '0');
		n++;
	}
	if (n < s.len && n == 3 && is_digit(s.p[n])) {
		return 0;
	}
	*out = v;
	return n;
}

/* An enhanced status code (RFC 3463) at the beginning of s; its length. */
static size_t
enhanced_scan(struct str s, unsigned enh[3])
{
	unsigned v[3];
	size_t at = 0;

	if (s.len == 0) {
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		size_t n;

		if (i > 0) {
			if (at >= s.len || s.p[at] != '.') {
				return 0;
			}
			at++;
		}
		n = number_scan((struct str){ s.p + at, s.len - at }, &v[i]);
		if (n == 0) {
			return 0;
		}
		at += n;
	}
	/* An IP address is not a code: a fourth number follows. */
	if ((v[0] != 2 && v[0] != 4 && v[0] != 5) ||
	    (at + 1 < s.len && s.p[at] == '.' && is_digit(s.p[at + 1]))) {
		return 0;
	}
	memcpy(enh, v, sizeof(v));
	return at;
}

static void
enhanced_search(struct str s, unsigned enh[3])
{
	for (size_t i = 0; i < s.len; i++) {
		if (i > 0 && (is_digit(s.p[i - 1]) || s.p[i - 1] == '.')) {
			continue;
		}
		if (enhanced_scan((struct str){ s.p + i, s.len - i }, enh) >
		    0) {
			return;
		}
	}
}

/* What servers repeat before each line: "550-", "550 5.7.1 ", "5.7.1 ". */
static struct str
line_without_codes(struct str line)
{
	struct str s = line;
	unsigned enh[3];
	unsigned code;
	size_t n = number_scan(s, &code);

	if (n == 3 && code >= 200 && code < 600 && s.len > 3 &&
	    (s.p[3] == '-' || s.p[3] == ' ')) {
		s = (struct str){ s.p + 4, s.len - 4 };
	}
	n = enhanced_scan(s, enh);
	if (n > 0) {
		s = (struct str){ s.p + n, s.len - n };
	}
	return str_trim(s);
}

static void
matter_add(struct matter *m, char c)
{
	if (m->len < sizeof(m->text)) {
		m->text[m->len++] = c;
	}
}

static bool
ends_word(char c)
{
	return c == ' ' || strchr("<>()[]\"',;:", c) != NULL;
}

/* Names of mailboxes are no words about them: "spam@example.org" may be the
 * unknown user. Takes back the local part; returns how many bytes of the line
 * the rest of the address has. */
static size_t
matter_drop_address(struct matter *m, struct str rest)
{
	size_t n = 0;

	while (m->len > 0 && !ends_word(m->text[m->len - 1])) {
		m->len--;
	}
	while (n < rest.len && !ends_word(rest.p[n]) && rest.p[n] != '\t' &&
	    rest.p[n] != '\r') {
		n++;
	}
	return n;
}

/* Lower case, runs of white space as one blank, without addresses. */
static void
matter_add_line(struct matter *m, struct str line)
{
	bool is_space = m->len > 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];

		if (c == ' ' || c == '\t' || c == '\r') {
			is_space = true;
			continue;
		}
		if (c == '@' && !is_space && m->len > 0) {
			i += matter_drop_address(
			    m, (struct str){ line.p + i, line.len - i });
			i--;
			continue;
		}
		if (is_space && m->len > 0 && m->text[m->len - 1] != ' ') {
			matter_add(m, ' ');
		}
		is_space = false;
		matter_add(m, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
	}
}

static void
matter_init(struct matter *m, const struct reply_question *q)
{
	struct str rest = q->text;
	struct str line;

	m->code = q->code;
	m->phases = (uint8_t)q->phase;
	m->host = q->host;
	m->len = 0;
	memset(m->enh, 0, sizeof(m->enh));
	if (rest.len > TEXT_MAX) {
		rest.len = TEXT_MAX;
	}
	if (enhanced_scan(q->enh, m->enh) == 0 ||
	    (m->enh[1] == 0 && m->enh[2] == 0)) {
		enhanced_search(rest, m->enh);
	}
	while (str_split(&rest, '\n', &line)) {
		matter_add_line(m, line_without_codes(line));
	}
}

char *
reply_text_fold(struct str text, char *dst)
{
	struct reply_question q = { .text = text };
	struct matter m;

	matter_init(&m, &q);
	str_copy(dst, REPLY_TEXT_SIZE, (struct str){ m.text, m.len });
	return dst;
}

static bool
text_matches(const struct matter *m, const char *pattern)
{
	const char *at = m->text;
	size_t left = m->len;

	while (*pattern != '\0') {
		size_t n = strcspn(pattern, "*");
		const char *hit = at;

		if (n > 0) {
			hit = memmem(at, left, pattern, n);
			if (hit == NULL) {
				return false;
			}
		}
		left -= (size_t)(hit - at) + n;
		at = hit + n;
		pattern += n + (pattern[n] == '*' ? 1 : 0);
	}
	return true;
}

/* One part of an enhanced pattern: "*" or a number. */
static bool
part_matches(struct str part, unsigned value)
{
	unsigned v;

	if (str_is(part, "*")) {
		return true;
	}
	return number_scan(part, &v) == part.len && v == value;
}

static bool
enhanced_matches(const struct matter *m, const char *pattern)
{
	struct str rest = str_of(pattern);
	struct str part;

	if (m->enh[0] == 0) {
		return false;
	}
	for (int i = 0; i < 3 && str_split(&rest, '.', &part); i++) {
		if (!part_matches(part, m->enh[i])) {
			return false;
		}
	}
	return true;
}

/* The host itself or one below it. */
static bool
host_matches(const struct matter *m, const char *domain)
{
	struct str end = str_of(domain);
	struct str host = m->host;

	if (host.len > 0 && host.p[host.len - 1] == '.') {
		host.len--;
	}
	if (host.len < end.len ||
	    (host.len > end.len && host.p[host.len - end.len - 1] != '.')) {
		return false;
	}
	return str_eq_case(
	    (struct str){ host.p + (host.len - end.len), end.len }, end);
}

static bool
rule_matches(const struct reply_rule *r, const struct matter *m)
{
	return (r->code == 0 || r->code == m->code) &&
	    (r->phases == 0 || (r->phases & m->phases) != 0) &&
	    (r->enh == NULL || enhanced_matches(m, r->enh)) &&
	    (r->host == NULL || host_matches(m, r->host)) &&
	    (r->text == NULL || text_matches(m, r->text));
}

static bool
regex_matches(const regex_t *re, const struct matter *m)
{
	regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)m->len };

	return regexec(re, m->text, 1, &range, REG_STARTEND) == 0;
}

static const struct reply_rule *
rules_find(const struct reply_rules *own, const struct matter *m)
{
	for (size_t i = 0; own != NULL && i < own->n; i++) {
		const struct own_rule *o = &own->rules[i];

		if (rule_matches(&o->rule, m) &&
		    (o->regex == NULL || regex_matches(o->regex, m))) {
			return &o->rule;
		}
	}
	for (size_t i = 0; i < n_reply_rules_builtin; i++) {
		if (rule_matches(&reply_rules_builtin[i], m)) {
			return &reply_rules_builtin[i];
		}
	}
	return NULL;
}

static bool
matter_is_permanent(const struct matter *m)
{
	/* The basic code decides where there is one (RFC 5321 section 4.2.1);
	 * a report may have only the other. */
	return m->code != 0 ? m->code >= 500 : m->enh[0] == 5;
}

/*
 * Before RCPT nothing was said about a recipient: words such as "domain not
 * found" are about the sender or about us.
 */
static enum reason
reason_by_phase(enum reason r, uint8_t phases)
{
	if (!reason_desc(r)->is_hard) {
		return r;
	}
	if ((phases & REPLY_MAIL) != 0) {
		return REASON_SENDER;
	}
	if ((phases & (REPLY_CONNECT | REPLY_STARTTLS)) != 0) {
		return REASON_ROUTING;
	}
	return r;
}

static bool
rule_is_permanent(const struct reply_rule *r, const struct matter *m)
{
	if (r != NULL && r->permanence != REPLY_AS_SAID) {
		return r->permanence == REPLY_PERMANENT;
	}
	return matter_is_permanent(m);
}

void
reply_class(const struct reply_rules *rules, const struct reply_question *q,
    struct reply_answer *out)
{
	const struct reply_rule *r;
	const struct reason_desc *d;
	struct matter m;
	bool is_forced;

	matter_init(&m, q);
	r = rules_find(rules, &m);
	out->rule = r;
	out->reason = r != NULL ? (enum reason)r->reason : REASON_OTHER;
	/* An administrator who names the phase knows what he says. */
	if (r == NULL || r->line == 0 || r->phases == 0) {
		out->reason = reason_by_phase(out->reason, m.phases);
	}
	d = reason_desc(out->reason);
	is_forced = r != NULL && r->permanence == REPLY_PERMANENT;
	out->is_permanent = rule_is_permanent(r, &m);
	out->is_hard = out->is_permanent && d->is_hard;
	out->is_retry = !out->is_permanent || (d->is_retried && !is_forced);
}

static bool
enh_pattern_is_valid(const char *pattern)
{
	struct str rest = str_of(pattern);
	struct str part;
	unsigned v;
	int n = 0;

	while (str_split(&rest, '.', &part)) {
		n++;
		if (!str_is(part, "*") &&
		    (part.len == 0 || number_scan(part, &v) != part.len)) {
			return false;
		}
	}
	return n == 3;
}

static bool
text_pattern_is_valid(const char *pattern)
{
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z') {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] != '\0';
}

/* NULL: no regular expression, or one whose time has no bound. */
static regex_t *
regex_compile(const char *pattern)
{
	regex_t *re = mem_alloc(sizeof(*re));
	struct buf why = { 0 };
	int r = pattern_compile(re, pattern, 0, &why);

	buf_fini(&why); /* who wrote it was told when the file was read */
	if (r < 0) {
		free(re);
		return NULL;
	}
	return re;
}

static bool
rule_is_valid(const struct reply_rule *rule)
{
	return (rule->enh == NULL || enh_pattern_is_valid(rule->enh)) &&
	    (rule->text == NULL || text_pattern_is_valid(rule->text)) &&
	    (rule->enh != NULL || rule->text != NULL || rule->regex != NULL ||
		rule->host != NULL || rule->code != 0 || rule->phases != 0) &&
	    rule->reason < REASON_N;
}

struct reply_rules *
reply_rules_new(void)
{
	return mem_alloc(sizeof(struct reply_rules));
}

static void
forget(const char *text)
{
	free((char *)(uintptr_t)text);
}

void
reply_rules_free(struct reply_rules **r)
{
	if (*r == NULL) {
		return;
	}
	for (size_t i = 0; i < (*r)->n; i++) {
		struct own_rule *o = &(*r)->rules[i];

		if (o->regex != NULL) {
			regfree(o->regex);
			free(o->regex);
		}
		forget(o->rule.enh);
		forget(o->rule.text);
		forget(o->rule.regex);
		forget(o->rule.host);
	}
	free((*r)->rules);
	free(*r);
	*r = NULL;
}

static const char *
copy(const char *text)
{
	return text != NULL ? mem_strdup(text) : NULL;
}

int
reply_class_add_rule(struct reply_rules *r, const struct reply_rule *rule)
{
	struct own_rule *o;
	regex_t *re = NULL;

	if (!rule_is_valid(rule)) {
		return -EINVAL;
	}
	if (rule->regex != NULL && (re = regex_compile(rule->regex)) == NULL) {
		return -EINVAL;
	}
	r->rules = mem_resize(r->rules, (r->n + 1) * sizeof(*r->rules));
	o = &r->rules[r->n++];
	o->rule = *rule;
	o->regex = re;
	o->rule.enh = copy(rule->enh);
	o->rule.text = copy(rule->text);
	o->rule.regex = copy(rule->regex);
	o->rule.host = copy(rule->host);
	return 0;
}

const struct reply_rule *
reply_rules_get(const struct reply_rules *r, size_t i)
{
	return r != NULL && i < r->n ? &r->rules[i].rule : NULL;
}
