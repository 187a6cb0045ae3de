#include "header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

void
header_iter_init(struct header_iter *it, const char *p, size_t len)
{
	it->next = p;
	it->end = p + len;
}

/* The end of the field at p: behind the CRLF that is no folding. */
static const char *
field_end(const char *p, const char *end)
{
	const char *start = p;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (lf == NULL) {
			return end;
		}
		p = lf + 1;
		if (lf > start && lf[-1] == '\r' &&
		    (p == end || !is_space(*p))) {
			return p;
		}
	}
	return end;
}

/* Is it a field? Sets name and value from raw. */
static bool
split_field(struct header_field *f)
{
	const char *end = f->raw + f->raw_len;
	const char *p = f->raw;

	while (p<end && * p> ' ' && *p <= '~' && *p != ':') {
		p++;
	}
	f->name_len = (size_t)(p - f->raw);
	while (p < end && is_space(*p)) { /* RFC 5322 section 4.5 */
		p++;
	}
	if (f->name_len == 0 || p == end || *p != ':') {
		return false;
	}
	f->name = f->raw;
	f->value = p + 1;
	if (end - f->value >= 2 && end[-2] == '\r' && end[-1] == '\n') {
		end -= 2;
	}
	f->value_len = (size_t)(end - f->value);
	return true;
}

int
header_next(struct header_iter *it, struct header_field *out)
{
	struct header_field f = { .raw = it->next };

	if (it->next == it->end ||
	    (it->end - it->next >= 2 && memcmp(it->next, "\r\n", 2) == 0)) {
		return 0;
	}
	it->next = field_end(it->next, it->end);
	f.raw_len = (size_t)(it->next - f.raw);
	if (!split_field(&f)) {
		*out =
		    (struct header_field){ .raw = f.raw, .raw_len = f.raw_len };
		return -EBADMSG;
	}
	*out = f;
	return 1;
}

bool
header_is(const struct header_field *f, const char *name)
{
	return f->name_len == strlen(name) &&
	    strncasecmp(f->name, name, f->name_len) == 0;
}

bool
header_find(
    const char *p, size_t len, const char *name, struct header_field *out)
{
	struct header_iter it;
	struct header_field f;
	int r;

	header_iter_init(&it, p, len);
	while ((r = header_next(&it, &f)) != 0) {
		if (r > 0 && header_is(&f, name)) {
			*out = f;
			return true;
		}
	}
	return false;
}

bool
header_find_last(
    const char *p, size_t len, const char *name, struct header_field *out)
{
	struct header_iter it;
	struct header_field f;
	bool found = false;
	int r;

	header_iter_init(&it, p, len);
	while ((r = header_next(&it, &f)) != 0) {
		if (r > 0 && header_is(&f, name)) {
			*out = f;
			found = true;
		}
	}
	return found;
}

size_t
header_count(const char *p, size_t len, const char *name)
{
	struct header_iter it;
	struct header_field f;
	size_t n = 0;
	int r;

	header_iter_init(&it, p, len);
	while ((r = header_next(&it, &f)) != 0) {
		n += r > 0 && header_is(&f, name);
	}
	return n;
}

size_t
header_block_len(const char *p, size_t len)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, p, len);
	while (header_next(&it, &f) != 0) {
		continue; /* malformed lines belong to the header too */
	}
	return (size_t)(it.next - p);
}

/* The counter for this field; *first is where the first one is kept. */
static size_t *
counter_of(const struct header_field *f, struct header_summary *s,
    struct header_field **first)
{
	const struct {
		const char *name;
		size_t *count;
		struct header_field *first;
	} rows[] = {
		{ "From", &s->from, &s->from_field },
		{ "Message-ID", &s->message_id, &s->message_id_field },
		{ "Subject", &s->subject, &s->subject_field },
		{ "Sender", &s->sender, NULL },
		{ "To", &s->to, NULL },
		{ "Cc", &s->cc, NULL },
		{ "Bcc", &s->bcc, NULL },
		{ "Date", &s->date, NULL },
		{ "Received", &s->received, NULL },
		{ "Return-Path", &s->return_path, NULL },
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		if (header_is(f, rows[i].name)) {
			*first = rows[i].first;
			return rows[i].count;
		}
	}
	return NULL;
}

void
header_summarize(const char *p, size_t len, struct header_summary *out)
{
	struct header_summary s = { 0 };
	struct header_iter it;
	struct header_field f;
	int r;

	header_iter_init(&it, p, len);
	while ((r = header_next(&it, &f)) != 0) {
		struct header_field *first = NULL;
		size_t *count;

		if (r < 0) {
			s.malformed++;
			continue;
		}
		s.fields++;
		count = counter_of(&f, &s, &first);
		if (count == NULL) {
			continue;
		}
		if (*count == 0 && first != NULL) {
			*first = f;
		}
		(*count)++;
	}
	*out = s;
}

int
header_message_id(
    const char *value, size_t len, const char **id, size_t *id_len)
{
	const char *open = memchr(value, '<', len);
	const char *end = value + len;
	const char *close;

	if (open == NULL) {
		return -EBADMSG;
	}
	close = memchr(open, '>', (size_t)(end - open));
	if (close == NULL || close == open + 1) {
		return -EBADMSG;
	}
	for (const char *p = open; p < close; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f) {
			return -EBADMSG;
		}
	}
	*id = open;
	*id_len = (size_t)(close - open) + 1;
	return 0;
}
