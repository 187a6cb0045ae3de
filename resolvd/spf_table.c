#include "spf_table.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

bool
spf_is_record(struct str txt)
{
	static const char version[] = "v=spf1";
	const size_t n = sizeof(version) - 1;

	return txt.len >= n && strncasecmp(txt.p, version, n) == 0 &&
	    (txt.len == n || txt.p[n] == ' ');
}

/* Names in the table are lower case without a final dot. */
static void
normalize(const char *name, char dst[DOMAIN_NAME_MAX + 1])
{
	struct str s = str_of(name);

	if (s.len > 0 && s.p[s.len - 1] == '.') {
		s.len--;
	}
	str_copy(dst, DOMAIN_NAME_MAX + 1, s);
	domain_lower(dst, strlen(dst));
}

const struct spf_entry *
spf_table_find(const struct spf_table *t, const char *name, uint16_t type)
{
	char wanted[DOMAIN_NAME_MAX + 1];

	normalize(name, wanted);
	for (unsigned i = 0; i < t->n; i++) {
		if (t->entries[i]->type == type &&
		    strcmp(t->entries[i]->name, wanted) == 0) {
			return t->entries[i];
		}
	}
	return NULL;
}

/* The record word by word, without explanations. */
static void
strip_exp(struct str txt, struct buf *out)
{
	struct str word;

	while (str_split(&txt, ' ', &word)) {
		if (word.len >= 4 && strncasecmp(word.p, "exp=", 4) == 0) {
			continue;
		}
		buf_add(out, word.p, word.len);
		buf_u8(out, ' ');
	}
	if (out->len > 0) {
		out->len--;
	}
}

/* Appends what libspf2 may see of the record; false: nothing. */
static bool
filter(uint16_t type, struct str data, struct buf *out)
{
	if (type != PACKET_TXT) {
		buf_add(out, data.p, data.len);
		return data.len > 0;
	}
	if (!spf_is_record(data) || data.len > SPF_RECORD_MAX ||
	    memchr(data.p, '\0', data.len) != NULL) {
		return false;
	}
	strip_exp(data, out);
	return true;
}

static void
add_records(struct spf_entry *e, const struct packet *k)
{
	struct buf all = { 0 };

	for (unsigned i = 0; i < k->n && e->n < SPF_RECORDS_MAX; i++) {
		struct buf one = { 0 };

		if (filter(e->type, packet_data(k, i), &one)) {
			buf_add(&all, one.p, one.len);
			e->records[e->n++].len = one.len;
		}
		buf_fini(&one);
	}
	e->data = (char *)all.p;
	for (size_t i = 0, at = 0; i < e->n; i++) {
		e->records[i].p = e->data + at;
		at += e->records[i].len;
	}
}

void
spf_table_add(struct spf_table *t, const char *name, uint16_t type,
    const struct answer *a)
{
	struct spf_entry *e = mem_alloc(sizeof(*e));

	normalize(name, e->name);
	e->type = type;
	e->status = a->status;
	if (a->status == ANSWER_DATA) {
		add_records(e, &a->packet);
		e->status = e->n > 0 ? ANSWER_DATA : ANSWER_NODATA;
	}
	t->entries =
	    mem_resize(t->entries, (t->n + 1) * sizeof(struct spf_entry *));
	t->entries[t->n++] = e;
}

void
spf_table_fini(struct spf_table *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		free(t->entries[i]->data);
		free(t->entries[i]);
	}
	free(t->entries);
	*t = (struct spf_table){ 0 };
}

/* "%{", a letter, a digit: RFC 7208 section 7.1, transformers. */
static bool
cuts_labels(struct str s)
{
	for (size_t i = 0; i + 3 < s.len; i++) {
		if (s.p[i] == '%' && s.p[i + 1] == '{' &&
		    isdigit((unsigned char)s.p[i + 3])) {
			return true;
		}
	}
	return false;
}

bool
spf_table_cuts_labels(const struct spf_table *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct spf_entry *e = t->entries[i];

		for (unsigned k = 0; e->type == PACKET_TXT && k < e->n; k++) {
			if (cuts_labels(e->records[k])) {
				return true;
			}
		}
	}
	return false;
}

/* ---- the outcome -------------------------------------------------------- */

void
spf_outcome_put(const struct spf_outcome *o, struct buf *out)
{
	size_t name = strlen(o->name);
	size_t text = strlen(o->text);

	buf_u8(out, (uint8_t)o->verdict);
	buf_u16(out, o->type);
	buf_u8(out, (uint8_t)name);
	buf_u8(out, (uint8_t)text);
	buf_add(out, o->name, name);
	buf_add(out, o->text, text);
}

int
spf_outcome_take(struct str in, struct spf_outcome *out)
{
	struct spf_outcome o = { 0 };
	const uint8_t *p = (const uint8_t *)in.p;
	size_t name, text;

	if (in.len < 5 || p[0] > SPF_PERMERROR) {
		return -EBADMSG;
	}
	name = p[3];
	text = p[4];
	if (in.len != 5 + name + text || name >= sizeof(o.name) ||
	    text >= sizeof(o.text)) {
		return -EBADMSG;
	}
	o.verdict = (enum spf_verdict)p[0];
	o.type = (uint16_t)(p[1] | p[2] << 8);
	str_copy(o.name, sizeof(o.name), (struct str){ in.p + 5, name });
	(void)str_safe(
	    o.text, sizeof(o.text), (struct str){ in.p + 5 + name, text });
	*out = o;
	return 0;
}

const char *
spf_verdict_name(enum spf_verdict v)
{
	static const char *const names[] = { "question", "pass", "fail",
		"softfail", "neutral", "none", "temperror", "permerror" };

	return names[v];
}
