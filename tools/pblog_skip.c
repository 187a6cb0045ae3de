#include "pblog_skip.h"

#include <string.h>

#include "event_id.h"

/*
 * A condition on a message or a recipient. Such a fact is in the event itself
 * or in the accepted event of its message, so a stretch is wanted if it has the
 * key, or if its events join with a file where an accepted event has it.
 */
struct condition {
	uint64_t key;
	enum journal_key_kind join;
	uint32_t *files; /* where accepted events may have the key */
	size_t n, cap;
};

#define CONDITIONS 4

struct pblog_skip {
	const struct pblog_filter *f;
	uint64_t id_key;
	struct condition conditions[CONDITIONS];
	size_t n;
	uint32_t newest; /* file, when the conditions' files were found */
};

static void
add_condition(struct pblog_skip *s, enum journal_key_kind kind,
    enum journal_key_kind join, const char *value)
{
	s->conditions[s->n++] =
	    (struct condition){ .key = journal_key(kind, str_of(value)),
		    .join = join };
}

/* As pblog_match takes it: equal, not contained. */
static bool
is_whole_address(const char *text)
{
	const char *at = text != NULL ? strchr(text, '@') : NULL;

	return at != NULL && at != text;
}

static void
add_conditions(struct pblog_skip *s)
{
	const struct pblog_filter *f = s->f;

	if (is_whole_address(f->to)) {
		add_condition(s, JOURNAL_KEY_RCPT, JOURNAL_KEY_BARE, f->to);
	}
	if (f->domain != NULL && strchr(f->domain, '@') == NULL) {
		add_condition(
		    s, JOURNAL_KEY_DOMAIN, JOURNAL_KEY_BARE, f->domain);
	}
	if (is_whole_address(f->from)) {
		add_condition(s, JOURNAL_KEY_SENDER, JOURNAL_KEY_JOIN, f->from);
	}
	if (f->account != NULL) {
		add_condition(
		    s, JOURNAL_KEY_ACCOUNT, JOURNAL_KEY_JOIN, f->account);
	}
}

static void
add_file(struct condition *c, uint32_t number)
{
	if (c->n == c->cap) {
		c->cap = c->cap != 0 ? c->cap * 2 : 16;
		c->files = mem_resize(c->files, c->cap * sizeof(*c->files));
	}
	c->files[c->n++] = number;
}

static bool
has_accepted(const struct journal_index *x, uint64_t key)
{
	for (uint32_t i = 0; i < x->n; i++) {
		struct journal_stretch s;

		journal_index_stretch(x, i, &s);
		if ((s.kinds[0] >> EVENT_accepted & 1) != 0 &&
		    journal_stretch_may_have(&s, key)) {
			return true;
		}
	}
	return false;
}

/* A file without an index may have anything. */
static void
find_files(struct pblog_skip *s, struct pblog_read *r)
{
	struct buf text = { 0 };
	struct journal_index x;
	size_t n;
	const uint32_t *numbers = pblog_files(r, &n);

	s->newest = n != 0 ? numbers[n - 1] : 0;
	for (size_t i = 0; i < n && s->n != 0; i++) {
		bool is_known = pblog_index(r, numbers[i], &text, &x);

		for (size_t k = 0; k < s->n; k++) {
			struct condition *c = &s->conditions[k];

			if (!is_known || has_accepted(&x, c->key)) {
				add_file(c, numbers[i]);
			}
		}
	}
	buf_fini(&text);
}

struct pblog_skip *
pblog_skip_new(const struct pblog_filter *f, struct pblog_read *r)
{
	struct pblog_skip *s = mem_alloc(sizeof(*s));

	s->f = f;
	if (f->has_id) {
		s->id_key = journal_key(JOURNAL_KEY_ID,
		    (struct str){ (const char *)f->id.b, sizeof(f->id.b) });
	}
	add_conditions(s);
	find_files(s, r);
	return s;
}

void
pblog_skip_free(struct pblog_skip **at)
{
	struct pblog_skip *s = *at;

	if (s == NULL) {
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		free(s->conditions[i].files);
	}
	free(s);
	*at = NULL;
}

static bool
may_fit(
    const struct condition *c, uint32_t number, const struct journal_stretch *s)
{
	if (journal_stretch_may_have(s, c->key)) {
		return true;
	}
	for (size_t i = 0; i < c->n && c->files[i] <= number; i++) {
		if (journal_stretch_may_have(
			s, journal_key_file(c->join, c->files[i]))) {
			return true;
		}
	}
	return false;
}

bool
pblog_skip_wants(const struct pblog_skip *skip, uint32_t number,
    const struct journal_stretch *s)
{
	const struct pblog_filter *f = skip->f;

	if (((s->kinds[0] & f->kinds[0]) | (s->kinds[1] & f->kinds[1])) == 0 ||
	    s->last_us < f->since_us ||
	    (f->until_us != 0 && s->first_us > f->until_us) ||
	    (f->has_id && !journal_stretch_may_have(s, skip->id_key))) {
		return false;
	}
	for (size_t i = 0; i < skip->n && number <= skip->newest; i++) {
		if (!may_fit(&skip->conditions[i], number, s)) {
			return false;
		}
	}
	return true;
}
