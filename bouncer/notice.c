/*
 * Notices for people that follow no standard: qmail, Exim, sendmail, Exchange,
 * Gmail, Yahoo and a hundred others. Recipients are found by where an address
 * stands in its line and by the words before it; what a line with an address
 * is followed by is its diagnostic.
 */
#include <string.h>
#include <strings.h>

#include "address.h"
#include "diagnostic.h"
#include "fields.h"
#include "read.h"
#include "text.h"

/* Lines of a diagnostic. */
#define LINES_MAX 14

/* How sure an address is the recipient's; the surest ones win. */
enum rank {
	RANK_ALONE = 1, /* begins its line, and words about it follow */
	RANK_NAMED,	/* words before it say that it failed */
	RANK_REPLY,	/* in a line of a dialogue */
	RANK_SEEN,	/* anywhere */
	RANK_SELF,	/* as RANK_ALONE, but it is the sender's own */
	RANK_SENDER,	/* anywhere, and the sender's own */
	RANK_NONE,
};

struct candidate {
	struct str address;
	struct str rest; /* of its line, and all behind */
	struct str line;
	enum rank rank;
};

struct search {
	const struct reading *r;
	struct candidate found[REPORT_RCPTS_MAX];
	size_t n;
	enum rank best;
};

/* ---- the rank of an address --------------------------------------------- */

/* Words before an address that make it the recipient. */
static const char *const named[] = { "recipient", "undeliver", "deliver",
	"unknown user", "user unknown", "userid", "error-for", "failed",
	"message to", "mail to", "mail for", "message for", "addressed",
	"attempts:", "rejected for", "mailbox", "account", "reach",
	"the address", "could not be", "couldn't be", "wasn't", "send to",
	"sent to", "this mailing list", "message-id in", "sending to",
	"no such user", "invalid", "rcpt:", NULL };

/* Words before an address of somebody else. */
static const char *const others[] = { "contact", "assistance", "question",
	"from:", "from <", "sender", "sent by", "reply", "envelope-from",
	"cc:", "administrator", "help", "support", "accepting mail from",
	"message-id:", "originally from", "on behalf of", "mail from", "hello",
	"hallo", "bonjour", "dear ", "write to", "forward", "expanded from",
	"generated from", NULL };

/* Behind an address that begins its line. */
static bool
is_about(struct str rest)
{
	while (rest.len > 0 && strchr(">\"')", rest.p[0]) != NULL) {
		rest.p++;
		rest.len--;
	}
	rest = str_trim(rest);
	return rest.len == 0 || strchr(":[(<-;|", rest.p[0]) != NULL ||
	    text_begins(rest, "on ") || text_begins(rest, "...") ||
	    text_begins(rest, "invalid") || text_begins(rest, "error") ||
	    text_begins(rest, "unknown") || text_begins(rest, "user") ||
	    text_begins(rest, "failed") || text_begins(rest, "rejected");
}

static bool
is_reply_line(struct str line)
{
	struct diagnostic d;
	struct str head = line;

	while (head.len > 0 &&
	    (head.p[0] == '>' || head.p[0] == '<' || head.p[0] == ' ')) {
		head.p++;
		head.len--;
	}
	if (text_begins(head, "rcpt to")) {
		return true;
	}
	head.len = head.len < 4 ? head.len : 4;
	diagnostic_read(head, &d);
	return d.code != 0;
}

/* The line before the address, folded, its last part only. */
static void
fold_before(struct str line, struct str address, struct buf *out)
{
	struct str before = { line.p, (size_t)(address.p - line.p) };

	if (before.len > 80) {
		before.p += before.len - 80;
		before.len = 80;
	}
	buf_clear(out, 128);
	text_fold(before, out);
}

static bool
begins_line(struct str line, struct str address)
{
	const char *p = line.p;

	const char *lt;

	while (p < address.p && strchr(" \t<>\"'*-=|", *p) != NULL) {
		p++;
	}
	lt = address.p - (p < address.p ? 1 : 0);
	if (lt > p && *lt == '<') {
		/* behind its display name */
		struct str name = { p, (size_t)(lt - p) }, first;
		size_t at = 0;

		return (p > line.p && p[-1] == '"') ||
		    (address_next(name, &at, &first) && first.p == p);
	}
	return p == address.p;
}

/* "one@example.com <two@example.net>": the first is a name for the second. */
static bool
is_display(struct str rest)
{
	size_t at = 0;
	struct str next;

	while (rest.len > 0 && strchr("\" '", rest.p[0]) != NULL) {
		rest.p++;
		rest.len--;
	}
	if (rest.len < 3 || rest.p[0] != '<' || text_begins(rest, "<mailto:")) {
		return false;
	}
	rest = text_line(&rest);
	return address_next(rest, &at, &next) && next.p == rest.p + 1;
}

static enum rank
rank_of(const struct search *s, struct str line, struct str address,
    struct buf *folded)
{
	struct str rest = { address.p + address.len,
		(size_t)(line.p + line.len - address.p) - address.len };
	struct str before;
	bool is_sender = address_eq(address, str_of(s->r->to));

	if (address_eq(address, str_of(s->r->from)) &&
	    address_is_role(address)) {
		return RANK_NONE;
	}
	if (is_display(rest)) {
		return RANK_NONE;
	}
	if (begins_line(line, address) && is_about(rest)) {
		return is_sender ? RANK_SELF : RANK_ALONE;
	}
	if (is_sender) {
		return RANK_SENDER;
	}
	fold_before(line, address, folded);
	before = buf_str(folded);
	if (text_has_any(before, others)) {
		return RANK_NONE;
	}
	if (is_reply_line(line)) {
		return RANK_REPLY;
	}
	if (text_has_any(before, named)) {
		return RANK_NAMED;
	}
	return address_is_role(address) ? RANK_NONE : RANK_SEEN;
}

/* ---- the search --------------------------------------------------------- */

static void
add(struct search *s, const struct candidate *c)
{
	if (c->rank > s->best || c->rank == RANK_NONE) {
		return;
	}
	if (c->rank < s->best) {
		s->best = c->rank;
		s->n = 0;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (address_eq(s->found[i].address, c->address)) {
			return;
		}
	}
	if (s->n < array_len(s->found)) {
		s->found[s->n++] = *c;
	}
}

static void
search_words(struct search *s, struct str words)
{
	struct str rest = words;
	struct buf folded = { 0 };

	while (rest.len > 0) {
		struct str line = text_line(&rest);
		struct str address;
		size_t at = 0;

		while (address_next(line, &at, &address)) {
			struct candidate c = { .address = address,
				.line = line };

			c.rank = rank_of(s, line, address, &folded);
			c.rest.p = address.p + address.len;
			c.rest.len = words.len - (size_t)(c.rest.p - words.p);
			add(s, &c);
		}
	}
	buf_fini(&folded);
}

/* ---- what is said about it ---------------------------------------------- */

static bool
is_rule(struct str line)
{
	size_t marks = 0;

	for (size_t i = 0; i < line.len && strchr("-=*_#", line.p[i]); i++) {
		marks++;
	}
	return marks >= 3;
}

static bool
begins_next(const struct search *s, struct str line)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->found[i].line.p == line.p) {
			return true;
		}
	}
	return false;
}

/* Something to read, not only marks. */
static bool
has_words(struct str line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c >= 0x80) {
			return true;
		}
	}
	return false;
}

/* Text up to an empty line; empty lines and headings before it are skipped. */
static void
paragraph(const struct search *s, struct str rest, struct buf *out)
{
	int lines = 0;
	bool is_first = true;

	while (rest.len > 0 && lines < LINES_MAX) {
		struct str raw = text_line(&rest);
		struct str line = str_trim(raw);

		while (is_first && line.len > 0 &&
		    strchr(">\"':, ", line.p[0]) != NULL) {
			line.p++;
			line.len--;
		}
		if (!is_first && begins_next(s, raw)) {
			break;
		}
		is_first = false;
		if (!has_words(line) || is_rule(line)) {
			/* "because:" and an empty line: the reason follows */
			if (out->len > 0 && out->p[out->len - 1] != ':') {
				break;
			}
			continue;
		}
		if (out->len > 0) {
			buf_u8(out, '\n');
		}
		buf_add(out, line.p, line.len);
		lines++;
	}
}

static bool
has_code(struct str s)
{
	struct diagnostic d;

	diagnostic_read(s, &d);
	return d.code != 0 || d.enh[0] != '\0';
}

/* One line of a dialogue, with what it was folded into. */
static void
add_reply_line(struct str rest, struct buf *out)
{
	struct str line = text_line(&rest);

	do {
		line = str_trim(line);
		if (out->len > 0) {
			buf_u8(out, '\n');
		}
		buf_add(out, line.p, line.len);
		if (rest.len == 0 || (rest.p[0] != ' ' && rest.p[0] != '\t')) {
			break;
		}
		line = text_line(&rest);
	} while (has_words(line) && out->len < REPORT_TEXT_SIZE);
}

static bool
has_address(struct str line, struct str address)
{
	struct str found;
	size_t at = 0;

	while (address_next(line, &at, &found)) {
		if (address_eq(found, address)) {
			return true;
		}
	}
	return false;
}

/* A reply elsewhere in the words: in a line with the address or, when only
 * one recipient failed, in any. */
static void
find_reply(const struct search *s, struct str address, struct buf *out)
{
	struct str rest = s->r->notice;

	while (rest.len > 0) {
		struct str from = rest;
		struct str line = text_line(&rest);

		if (!has_code(line)) {
			continue;
		}
		if (s->n <= 1) {
			paragraph(s, from, out);
			return;
		}
		if (has_address(line, address)) {
			add_reply_line(from, out);
			return;
		}
	}
}

static void
explain(
    const struct search *s, const struct candidate *c, struct report_rcpt *r)
{
	struct buf text = { 0 }, reply = { 0 };

	if (c->rank == RANK_REPLY) {
		buf_add(&text, c->line.p, c->line.len);
	} else if (c->rest.len > 0) {
		paragraph(s, c->rest, &text);
	}
	if (!has_code(buf_str(&text))) {
		find_reply(s, c->address, &reply);
		if (reply.len > 0 && text.len > 0) {
			buf_u8(&reply, '\n');
		}
		buf_add(&reply, text.p, text.len);
		buf_clear(&text, 4096);
		buf_add(&text, reply.p, reply.len);
	}
	report_set_text(r, buf_str(&text));
	buf_fini(&text);
	buf_fini(&reply);
}

/* ---- recipients --------------------------------------------------------- */

static void
add_found(const struct search *s, struct report *out)
{
	/* Of addresses that are just there, the first is the likeliest. */
	size_t n = s->best >= RANK_SEEN && s->n > 1 ? 1 : s->n;

	for (size_t i = 0; i < n; i++) {
		struct report_rcpt *r = report_add(out);

		if (r != NULL) {
			report_set_address(r->address, s->found[i].address);
			explain(s, &s->found[i], r);
		}
	}
}

/* Exim and Google name them in a field of their own. */
static bool
add_failed_field(const struct search *s, struct report *out)
{
	char value[FIELD_VALUE_MAX + 1];
	struct str list, address;
	size_t at = 0, before = out->n_rcpts;

	if (!fields_get(s->r->mime.header, "X-Failed-Recipients", value,
		sizeof(value))) {
		return false;
	}
	list = str_of(value);
	while (address_next(list, &at, &address)) {
		struct candidate c = { .address = address };
		struct report_rcpt *r = report_add(out);

		if (r != NULL) {
			report_set_address(r->address, address);
			explain(s, &c, r);
		}
	}
	return out->n_rcpts > before;
}

/* A name alone in its line, behind "the following recipients ...:"; its
 * domain is the reporter's. */
static bool
add_local_name(const struct search *s, struct report *out)
{
	struct str rest = s->r->notice;
	struct str domain = address_domain(str_of(s->r->from));
	bool is_list = false;

	while (rest.len > 0) {
		struct str line = str_trim(text_line(&rest));
		struct report_rcpt *r;
		struct buf b = { 0 };

		if (line.len == 0) {
			continue;
		}
		if (is_list && domain.len > 0 && line.len < 65 &&
		    memchr(line.p, ' ', line.len) == NULL &&
		    memchr(line.p, '@', line.len) == NULL &&
		    line.p[line.len - 1] != ':') {
			r = report_add(out);
			if (r == NULL) {
				return false;
			}
			buf_add(&b, line.p, line.len);
			buf_u8(&b, '@');
			buf_add(&b, domain.p, domain.len);
			report_set_address(r->address, buf_str(&b));
			buf_fini(&b);
			report_set_text(r, s->r->notice);
			return true;
		}
		is_list = line.p[line.len - 1] == ':' &&
		    memmem(line.p, line.len, " ", 1) != NULL;
	}
	return false;
}

/* The original was for one recipient, so it is this one. */
static bool
add_original_to(const struct search *s, struct report *out)
{
	char value[FIELD_VALUE_MAX + 1];
	struct str first, next;
	struct report_rcpt *r;
	size_t at = 0;

	if (!fields_get(s->r->original, "To", value, sizeof(value)) ||
	    !address_next(str_of(value), &at, &first) ||
	    address_next(str_of(value), &at, &next)) {
		return false;
	}
	r = report_add(out);
	if (r != NULL) {
		struct candidate c = { .address = first };

		report_set_address(r->address, first);
		explain(s, &c, r);
	}
	return r != NULL;
}

static void
add_nobody(const struct search *s, struct report *out)
{
	struct report_rcpt *r = report_add(out);
	struct candidate c = { .address = { "", 0 } };

	if (r != NULL) {
		explain(s, &c, r);
	}
}

struct search *
notice_search(const struct reading *r)
{
	struct search *s = mem_alloc(sizeof(*s));

	s->r = r;
	s->best = RANK_NONE;
	search_words(s, r->notice);
	return s;
}

/* Nothing in the words is a recipient's address for sure. */
static void
add_guess(const struct search *s, struct report *out)
{
	if (add_local_name(s, out) ||
	    (s->best != RANK_SELF && add_original_to(s, out))) {
		return;
	}
	if (s->best <= RANK_SENDER) {
		add_found(s, out);
	} else {
		add_nobody(s, out);
	}
}

void
notice_parse(struct search *s, struct report *out)
{
	if (s->best > RANK_ALONE && add_failed_field(s, out)) {
		return;
	}
	if (s->best > RANK_REPLY) {
		search_words(s, str_of(s->r->subject));
	}
	if (s->best <= RANK_SEEN) {
		add_found(s, out);
	} else {
		add_guess(s, out);
	}
}

void
notice_explain(const struct search *s, struct report_rcpt *rcpt)
{
	struct candidate c = { .address = str_of(rcpt->address) };

	for (size_t i = 0; i < s->n; i++) {
		if (address_eq(s->found[i].address, c.address)) {
			c.rest = s->found[i].rest;
		}
	}
	explain(s, &c, rcpt);
}
