#include "pblog_unknown.h"

#include <string.h>

#include "json_put.h"
#include "map.h"

struct group {
	uint64_t count;
	uint64_t first_us, last_us;
	unsigned code; /* 0: not told */
	char *shape;   /* in the key */
	char *text;    /* the first reply of this shape */
	char *host;    /* that gave it */
	char id[UUID_TEXT_SIZE];
	char enh[17];
};

struct pblog_unknown {
	const struct reply_rules *rules;
	struct map *groups; /* by code and shape */
	uint64_t others;    /* replies of shapes beyond the limit */
};

/* ---- shapes ------------------------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number, an id, a host, an address or part of a URL: another one stands in
 * the next reply. */
static bool
is_own(struct str word)
{
	const char *dot;

	for (size_t i = 0; i < word.len; i++) {
		if (is_digit(word.p[i])) {
			return true;
		}
	}
	dot = memchr(word.p, '.', word.len);
	return memmem(word.p, word.len, "://", 3) != NULL ||
	    memchr(word.p, '@', word.len) != NULL ||
	    (dot != NULL && dot > word.p && dot + 1 < word.p + word.len);
}

/* Adds "*", or the word, behind a blank. */
static size_t
add_word(char *dst, size_t n, struct str word)
{
	bool is_masked = is_own(word);
	size_t len = is_masked ? 1 : word.len;

	if (is_masked && n > 0 && dst[n - 1] == '*') {
		return n;
	}
	if (n + len + 2 >= PBLOG_SHAPE_SIZE) {
		return n;
	}
	if (n > 0) {
		dst[n++] = ' ';
	}
	memcpy(dst + n, is_masked ? "*" : word.p, len);
	return n + len;
}

char *
pblog_shape(struct str reply, char *dst)
{
	char text[REPLY_TEXT_SIZE];
	struct str rest = str_of(reply_text_fold(reply, text));
	struct str word;
	size_t n = 0, begin = 0;

	while (str_split(&rest, ' ', &word)) {
		if (word.len > 0) {
			n = add_word(dst, n, word);
		}
	}
	while (n > 0 && (dst[n - 1] == '*' || dst[n - 1] == ' ')) {
		n--;
	}
	while (begin < n && (dst[begin] == '*' || dst[begin] == ' ')) {
		begin++;
	}
	memmove(dst, dst + begin, n - begin);
	dst[n - begin] = '\0';
	return dst;
}

/* ---- groups ------------------------------------------------------------- */

struct pblog_unknown *
pblog_unknown_new(const struct reply_rules *rules)
{
	struct pblog_unknown *u = mem_alloc(sizeof(*u));

	u->rules = rules;
	u->groups = map_new();
	return u;
}

static void
group_free(void *value)
{
	struct group *g = value;

	free(g->shape);
	free(g->text);
	free(g->host);
	free(g);
}

void
pblog_unknown_free(struct pblog_unknown **u)
{
	if (*u != NULL) {
		map_free(&(*u)->groups, group_free);
		free(*u);
		*u = NULL;
	}
}

static enum reply_phase
phase_of(struct str command)
{
	static const struct {
		const char *command;
		enum reply_phase phase;
	} rows[] = { { "MAIL FROM", REPLY_MAIL }, { "RCPT TO", REPLY_RCPT },
		{ "DATA", REPLY_DATA }, { ".", REPLY_DOT },
		{ "STARTTLS", REPLY_STARTTLS }, { "", REPLY_REPORT } };

	for (size_t i = 0; i < array_len(rows); i++) {
		if (str_is(command, rows[i].command)) {
			return rows[i].phase;
		}
	}
	return REPLY_CONNECT;
}

static struct str
host_of(const struct event_view *v)
{
	struct str host = event_text(v, "dest_host");

	return host.len > 0 ? host : event_text(v, "dsn_reporting_mta");
}

/* A rule that came since may know it. */
static bool
is_unknown(const struct pblog_unknown *u, const struct event_view *v)
{
	struct reply_question q = {
		.code = (unsigned)event_number(v, "smtp_code"),
		.enh = event_text(v, "smtp_enh"),
		.text = event_text(v, "smtp_text"),
		.host = host_of(v),
		.phase = phase_of(event_text(v, "smtp_command")),
	};
	struct reply_answer a;

	if (!str_is(event_text(v, "class"), reason_desc(REASON_OTHER)->name) ||
	    q.text.len == 0) {
		return false;
	}
	reply_class(u->rules, &q, &a);
	return a.rule == NULL ||
	    (a.reason == REASON_OTHER && a.rule->line == 0);
}

static struct group *
group_new(const struct event_view *v, const char *shape)
{
	const struct event_common *c = v->event;
	struct group *g = mem_alloc(sizeof(*g));

	g->code = (unsigned)event_number(v, "smtp_code");
	g->shape = mem_strdup(shape);
	g->text = str_dup(event_text(v, "smtp_text"));
	g->host = str_dup(host_of(v));
	g->first_us = c->time_us;
	uuid_print(&c->msgid, g->id);
	(void)str_safe(g->enh, sizeof(g->enh), event_text(v, "smtp_enh"));
	return g;
}

bool
pblog_unknown_add(struct pblog_unknown *u, const struct event_view *v)
{
	const struct event_common *c = v->event;
	char shape[PBLOG_SHAPE_SIZE];
	struct buf key = { 0 };
	struct group *g;

	if (!event_desc(v->type)->has_common || !is_unknown(u, v)) {
		return false;
	}
	buf_printf(&key, "%u %s", (unsigned)event_number(v, "smtp_code"),
	    pblog_shape(event_text(v, "smtp_text"), shape));
	g = map_get(u->groups, buf_str(&key));
	if (g == NULL && map_len(u->groups) < PBLOG_SHAPES_MAX) {
		g = group_new(v, shape);
		(void)map_put(u->groups, buf_str(&key), g);
	}
	buf_fini(&key);
	if (g == NULL) {
		u->others++;
	} else {
		g->count++;
		g->last_us = c->time_us;
	}
	return true;
}

/* ---- output ------------------------------------------------------------- */

static int
by_count(const void *x, const void *y)
{
	const struct group *a = *(const struct group *const *)x;
	const struct group *b = *(const struct group *const *)y;

	if (a->count != b->count) {
		return a->count > b->count ? -1 : 1;
	}
	return a->code != b->code ? (a->code < b->code ? -1 : 1)
				  : strcmp(a->shape, b->shape);
}

static void
put_json(const struct group *g, struct buf *out)
{
	json_put_open(out, NULL, '{');
	json_put_num(out, "count", g->count);
	json_put_num_known(out, "code", g->code);
	json_put_str_known(out, "enh", str_of(g->enh));
	json_put_str(out, "shape", str_of(g->shape));
	json_put_str(out, "example", str_of(g->text));
	json_put_str_known(out, "host", str_of(g->host));
	json_put_str(out, "message_id", str_of(g->id));
	json_put_time(out, "first", g->first_us);
	json_put_time(out, "last", g->last_us);
	json_put_close(out, '}');
	buf_u8(out, '\n');
}

static void
put_text(const struct group *g, struct buf *out)
{
	char safe[1024], when[JSON_TIME_SIZE];

	buf_printf(out, "%8llu  %u %s \"%s\"\n", (unsigned long long)g->count,
	    g->code, g->enh, str_safe(safe, sizeof(safe), str_of(g->shape)));
	json_time(g->last_us, when);
	buf_printf(out, "          last %s, e.g. %s", when, g->id);
	if (g->host[0] != '\0') {
		buf_printf(out, ", host %s",
		    str_safe(safe, sizeof(safe), str_of(g->host)));
	}
	buf_printf(
	    out, ": %s\n", str_safe(safe, sizeof(safe), str_of(g->text)));
}

void
pblog_unknown_show(const struct pblog_unknown *u, uint64_t limit, bool is_json,
    struct buf *out)
{
	size_t n = map_len(u->groups), at = 0, i = 0;
	struct group **all = mem_alloc((n + 1) * sizeof(*all));
	struct str key;
	void *value;

	while (map_next(u->groups, &at, &key, &value)) {
		all[i++] = value;
	}
	qsort(all, n, sizeof(*all), by_count);
	for (i = 0; i < n && (limit == 0 || i < limit); i++) {
		if (is_json) {
			put_json(all[i], out);
		} else {
			put_text(all[i], out);
		}
	}
	if (u->others > 0 && !is_json) {
		buf_printf(out, "%8llu  of further shapes\n",
		    (unsigned long long)u->others);
	}
	free(all);
}
