#include "routes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "map.h"
#include "next_hop.h"

/* Text of an error, bytes; the reason of a failed domain has room for it. */
#define TEXT_MAX 400

struct routes {
	struct map *by_name; /* "domain", ".parent", "*" to entry */
	struct routes_entry *relayhost;
};

/* One line as it is being read. */
struct line {
	struct str rest;
	const char *file;
	unsigned n;
	struct buf *error;
};

struct routes *
routes_new(void)
{
	struct routes *r = mem_alloc(sizeof(*r));

	r->by_name = map_new();
	return r;
}

static struct routes_entry *
entry_new(enum routes_kind kind, unsigned line)
{
	struct routes_entry *e = mem_alloc(sizeof(*e));

	*e = (struct routes_entry){ .kind = kind,
		.hop = mem_strdup(""),
		.tls = mem_strdup(""),
		.user = mem_strdup(""),
		.password = mem_strdup(""),
		.enh = mem_strdup(""),
		.text = mem_strdup(""),
		.line = line };
	return e;
}

static void
entry_free(void *value)
{
	struct routes_entry *e = value;

	if (e == NULL) {
		return;
	}
	explicit_bzero(e->password, strlen(e->password));
	free(e->hop);
	free(e->tls);
	free(e->user);
	free(e->password);
	free(e->enh);
	free(e->text);
	free(e);
}

void
routes_free(struct routes **rp)
{
	struct routes *r = *rp;

	if (r == NULL) {
		return;
	}
	*rp = NULL;
	map_free(&r->by_name, entry_free);
	entry_free(r->relayhost);
	free(r);
}

static void
renew(char **text, struct str now)
{
	free(*text);
	*text = str_dup(now);
}

/* ---- lines -------------------------------------------------------------- */

static int complain(const struct line *l, const char *fmt, ...) PRINTF(2, 3);

static int
complain(const struct line *l, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(l->error, "%s:%u: %s", l->file, l->n, text);
	return -EINVAL;
}

/* The next word; empty at the line's end. */
static struct str
take_word(struct line *l)
{
	struct str word = str_trim(l->rest);
	size_t n = 0;

	while (n < word.len && word.p[n] != ' ' && word.p[n] != '\t') {
		n++;
	}
	l->rest = (struct str){ word.p + n, word.len - n };
	word.len = n;
	return word;
}

static bool
is_blank(struct str line)
{
	line = str_trim(line);
	return line.len == 0 || line.p[0] == '#';
}

/* The name of a line in the form in which domains are looked up. */
static int
read_name(struct line *l, char dst[DOMAIN_NAME_MAX + 2])
{
	struct str word = take_word(l);
	struct domain_ip ip;
	size_t dot = word.len > 1 && word.p[0] == '.' ? 1 : 0;
	char safe[128];

	if (str_is(word, "*") ||
	    domain_literal_parse(word.p, word.len, &ip) == 0) {
		str_copy(dst, DOMAIN_NAME_MAX + 2, word);
		domain_lower(dst, strlen(dst));
		return 0;
	}
	dst[0] = '.';
	if (domain_to_ascii(word.p + dot, word.len - dot, DOMAIN_UNDERSCORE,
		dst + dot, DOMAIN_NAME_MAX + 1) < 0) {
		return complain(l,
		    "%s is no domain, .parent, [address] or *; write one "
		    "route a line: domain, blank, target",
		    str_safe(safe, sizeof(safe), word));
	}
	return 0;
}

static int
set_hop(struct routes_entry *e, struct str hop)
{
	char name[ROUTES_HOP_MAX];
	struct next_hop h;

	if (hop.len >= sizeof(name) || next_hop_parse(hop, &h) < 0 ||
	    (h.is_tls && h.has_mx)) {
		return -EINVAL;
	}
	str_copy(name, sizeof(name), hop);
	domain_lower(name, hop.len);
	renew(&e->hop, str_of(name));
	e->is_by_mx = h.has_mx && !h.is_address && h.port == 0;
	e->kind = ROUTES_HOP;
	return 0;
}

static const char *const levels[] = { "none", "may", "encrypt", "verify",
	"dane" };

/* Would it send in clear? */
static bool
is_clear_level(const char *tls)
{
	return strcmp(tls, "none") == 0 || strcmp(tls, "may") == 0;
}

/* "tls=LEVEL", any number of times up to the line's end. */
static int
read_options(struct line *l, struct routes_entry *e)
{
	struct str word;
	char safe[128];

	while ((word = take_word(l)).len > 0) {
		struct str name = { 0 };
		size_t i = 0;

		(void)str_split(&word, '=', &name);
		if (!str_is(name, "tls")) {
			return complain(l,
			    "%s is no option; the nearest is tls=LEVEL",
			    str_safe(safe, sizeof(safe), name));
		}
		while (i < array_len(levels) && !str_is(word, levels[i])) {
			i++;
		}
		if (i == array_len(levels)) {
			return complain(l,
			    "tls=%s: the level must be none, may, encrypt, "
			    "verify or dane",
			    str_safe(safe, sizeof(safe), word));
		}
		renew(&e->tls, word);
	}
	if (str_starts(str_of(e->hop), "smtps:") && is_clear_level(e->tls)) {
		return complain(l,
		    "tls=%s, but smtps: is never without TLS; write "
		    "tls=encrypt or tls=verify",
		    e->tls);
	}
	return 0;
}

/* "5.7.1": the form of RFC 3463, whatever the numbers. */
static bool
is_enhanced_code(struct str s)
{
	if (s.len < 5 || s.len > 9 || s.p[1] != '.') {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9')) {
			return false;
		}
	}
	return true;
}

/* "5.7.1 text": the code is a wish, the text a must. */
static int
read_error(struct line *l, struct routes_entry *e, struct str text)
{
	struct str code = { 0 };
	struct str rest = text;
	bool is_code;

	(void)str_split(&rest, ' ', &code);
	is_code = is_enhanced_code(code);
	if (is_code && code.p[0] != '5') {
		return complain(l,
		    "error: ends mail for good, so its code must begin with 5");
	}
	renew(&e->enh, is_code ? code : STR("5.7.1"));
	rest = str_trim(is_code ? rest : text);
	if (rest.len == 0 || rest.len > TEXT_MAX) {
		return complain(l,
		    "error: needs a text of at most %d bytes for the sender",
		    TEXT_MAX);
	}
	renew(&e->text, rest);
	e->kind = ROUTES_ERROR;
	return 0;
}

static bool
take_prefix(struct str *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (!str_starts(*s, prefix)) {
		return false;
	}
	*s = (struct str){ s->p + n, s->len - n };
	return true;
}

/* Letters before a colon that is not a port's: a misspelt smtp: or error:. */
static bool
is_odd_word(struct str hop)
{
	size_t n = 0;

	while (n < hop.len &&
	    ((hop.p[n] >= 'a' && hop.p[n] <= 'z') || hop.p[n] == '-')) {
		n++;
	}
	return n > 0 && n < hop.len && hop.p[n] == ':' &&
	    (n + 1 == hop.len || hop.p[n + 1] < '0' || hop.p[n + 1] > '9');
}

static const char *
nearest_word(struct str hop)
{
	return hop.len > 0 && hop.p[0] == 'e' ? "error:" : "smtp:";
}

static int
read_target(struct line *l, struct routes_entry *e)
{
	struct str all = str_trim(l->rest);
	struct str hop;
	char safe[320];

	if (take_prefix(&all, "error:")) {
		return read_error(l, e, str_trim(all));
	}
	hop = take_word(l);
	if (hop.len == 0) {
		return complain(l, "a target is missing behind the domain");
	}
	if (is_odd_word(hop) && !str_starts(hop, "smtp:") &&
	    !str_starts(hop, "smtps:")) {
		return complain(l, "%s: no such word; the nearest is %s",
		    str_safe(safe, sizeof(safe), hop), nearest_word(hop));
	}
	(void)take_prefix(&hop, "smtp:");
	if (hop.len > 0 && set_hop(e, hop) < 0) {
		return complain(l,
		    "%s is no next hop; write host, [host], [host]:port or "
		    "[address]:port, with smtps: only in the last three",
		    str_safe(safe, sizeof(safe), hop));
	}
	return read_options(l, e);
}

static int
read_line(struct routes *r, struct line *l)
{
	char name[DOMAIN_NAME_MAX + 2];
	struct routes_entry *e = entry_new(ROUTES_OWN, l->n);
	const struct routes_entry *other;
	int error = read_name(l, name);

	if (error == 0) {
		error = read_target(l, e);
	}
	if (error < 0) {
		entry_free(e);
		return error;
	}
	other = map_get(r->by_name, str_of(name));
	if (other != NULL) {
		entry_free(e);
		return complain(
		    l, "%s stands in line %u already", name, other->line);
	}
	(void)map_put(r->by_name, str_of(name), e);
	return 0;
}

int
routes_parse(
    struct routes *r, struct str text, const char *file, struct buf *error)
{
	struct line l = { .file = file, .error = error };

	while (str_split(&text, '\n', &l.rest)) {
		l.n++;
		if (!is_blank(l.rest)) {
			int e = read_line(r, &l);

			if (e < 0) {
				return e;
			}
		}
	}
	return 0;
}

int
routes_set_relayhost(struct routes *r, struct str hop)
{
	struct routes_entry *e = entry_new(ROUTES_OWN, 0);

	if (set_hop(e, hop) < 0) {
		entry_free(e);
		return -EINVAL;
	}
	entry_free(r->relayhost);
	r->relayhost = e;
	return 0;
}

/* ---- passwords ---------------------------------------------------------- */

/* The hop without smtps:, as a password's line may have it too. */
static struct str
bare(const char *hop)
{
	struct str s = str_of(hop);

	(void)next_hop_take_smtps(&s);
	return s;
}

/* "[host]:port" less brackets and port. */
static struct str
host_of(const char *hop)
{
	struct str s = bare(hop);
	const char *end;

	if (s.len > 0 && s.p[0] == '[') {
		end = memchr(s.p, ']', s.len);
		return (struct str){ s.p + 1, (size_t)(end - s.p) - 1 };
	}
	end = memchr(s.p, ':', s.len);
	if (end != NULL &&
	    memchr(end + 1, ':', (size_t)(s.p + s.len - end) - 1) == NULL) {
		s.len = (size_t)(end - s.p);
	}
	return s;
}

/* A line for the hop itself is worth more than one for its host. */
static void
give(struct routes_entry *e, const char *key, struct str user,
    struct str password, bool *is_used)
{
	bool is_exact = strcmp(e->hop, key) == 0 || str_is(bare(e->hop), key);

	if (e->kind != ROUTES_HOP ||
	    (!is_exact &&
		(e->user[0] != '\0' || !str_is(host_of(e->hop), key)))) {
		return;
	}
	*is_used = true;
	renew(&e->user, user);
	explicit_bzero(e->password, strlen(e->password));
	renew(&e->password, password);
}

static void
give_all(struct routes *r, const char *key, struct str user,
    struct str password, bool *is_used)
{
	size_t at = 0;
	struct str name;
	void *value;

	while (map_next(r->by_name, &at, &name, &value)) {
		give(value, key, user, password, is_used);
	}
	if (r->relayhost != NULL) {
		give(r->relayhost, key, user, password, is_used);
	}
}

static int
read_password(struct routes *r, struct line *l)
{
	char key[ROUTES_HOP_MAX];
	struct str word = take_word(l);
	struct str password = str_trim(l->rest);
	struct str user = { 0 };
	bool is_used = false;

	if (word.len >= sizeof(key)) {
		return complain(l, "the next hop is too long");
	}
	str_copy(key, sizeof(key), word);
	domain_lower(key, word.len);
	/* Nothing of the line is repeated: the password may be anywhere. */
	if (memchr(password.p, ':', password.len) == NULL ||
	    !str_split(&password, ':', &user) || user.len == 0 ||
	    password.len == 0) {
		return complain(l,
		    "write a next hop, a blank, and user:password behind it");
	}
	if (user.len > ROUTES_USER_MAX || password.len > ROUTES_PASSWORD_MAX) {
		return complain(l, "user or password has more than %d bytes",
		    ROUTES_USER_MAX);
	}
	give_all(r, key, user, password, &is_used);
	if (!is_used) {
		return complain(l,
		    "neither relayhost nor routes.cf has this next hop; write "
		    "it as it stands there, or remove the line");
	}
	return 0;
}

/* What would send a password without TLS. */
static int
check_tls(const struct routes *r, struct buf *error)
{
	size_t at = 0;
	struct str name;
	void *value;

	while (map_next(r->by_name, &at, &name, &value)) {
		const struct routes_entry *e = value;

		if (e->user[0] != '\0' && is_clear_level(e->tls)) {
			buf_printf(error,
			    "routes.cf:%u: tls=%s, but %s has a password, "
			    "which is sent only inside TLS; write "
			    "tls=encrypt or tls=verify",
			    e->line, e->tls, e->hop);
			return -EINVAL;
		}
	}
	return 0;
}

int
routes_parse_passwords(
    struct routes *r, struct str text, const char *file, struct buf *error)
{
	struct line l = { .file = file, .error = error };

	while (str_split(&text, '\n', &l.rest)) {
		l.n++;
		if (!is_blank(l.rest)) {
			int e = read_password(r, &l);

			if (e < 0) {
				return e;
			}
		}
	}
	return check_tls(r, error);
}

/* ---- look-up ------------------------------------------------------------ */

const struct routes_entry *
routes_find(const struct routes *r, struct str domain)
{
	const struct routes_entry *e;
	struct str name = domain;

	if (r == NULL) {
		return NULL;
	}
	e = map_get(r->by_name, domain);
	while (e == NULL && name.len > 1) {
		const char *dot = memchr(name.p + 1, '.', name.len - 1);

		if (dot == NULL || domain.p[0] == '[') {
			break;
		}
		name.len -= (size_t)(dot - name.p);
		name.p = dot;
		e = map_get(r->by_name, name);
	}
	if (e == NULL) {
		e = map_get(r->by_name, STR("*"));
	}
	return e != NULL ? e : r->relayhost;
}

const struct routes_entry *
routes_relayhost(const struct routes *r)
{
	return r != NULL ? r->relayhost : NULL;
}

bool
routes_has_lines(const struct routes *r)
{
	return r != NULL && map_len(r->by_name) > 0;
}
