/*
 * The header of a message (RFC 5322) as a range of bytes: walk its fields,
 * find and count them, and take out the few facts an MTA needs. Lines end
 * in CRLF and nothing else. Fields point into the caller's bytes; nothing
 * is changed, nothing allocated. Dot-stuffed input is fine: a stuffed line
 * can only be a field whose name begins with a dot.
 */
#ifndef LIB_HEADER_H
#define LIB_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "attr.h"

/* One field; all lengths in bytes, all pointers into the header. */
struct header_field {
	const char *raw; /* everything, through the last CRLF */
	size_t raw_len;
	const char *name; /* without space before the colon */
	size_t name_len;
	const char *value; /* after the colon, folding kept, no last CRLF */
	size_t value_len;
};

/* A walk through a header; plain data, may be copied to come back. */
struct header_iter {
	const char *next;
	const char *end;
};

/* Begin to walk the header in p, len; it ends there or at an empty line. */
void header_iter_init(struct header_iter *it, const char *p, size_t len);

/*
 * Go to the next field. Returns 1 with *out filled; 0 at the end;
 * -EBADMSG for a line that is no field (no colon, or a name that is empty
 * or has a control character, space or 8-bit byte: RFC 5322 section 2.2).
 * Then *out has raw and raw_len only, and the next call goes on behind it.
 */
int header_next(struct header_iter *it, struct header_field *out) MUST_CHECK;

/* Is the field's name this one? NUL-terminated, case does not matter. */
bool header_is(const struct header_field *f, const char *name);

/*
 * Find the first or the last field of that name. Returns whether there is
 * one; *out is untouched if not.
 */
bool header_find(const char *p, size_t len, const char *name,
    struct header_field *out) MUST_CHECK;
bool header_find_last(const char *p, size_t len, const char *name,
    struct header_field *out) MUST_CHECK;

/* How many fields have that name. Received: hops so far (RFC 5321 6.3). */
size_t header_count(const char *p, size_t len, const char *name);

/*
 * Length of the header block in p, len: up to the empty line, without it;
 * len if there is none.
 */
size_t header_block_len(const char *p, size_t len);

/* The facts of a submission, found in one walk. */
struct header_summary {
	size_t fields;	  /* all that are well formed */
	size_t malformed; /* lines that are no field */
	size_t from;	  /* fields of that name; RFC 5322 3.6: exactly one */
	size_t sender;
	size_t to;
	size_t cc;
	size_t bcc;
	size_t date;
	size_t message_id;
	size_t subject;
	size_t received;
	size_t return_path;
	struct header_field from_field; /* the first of each, if any */
	struct header_field message_id_field;
	struct header_field subject_field;
};

/* Fill *out, in full, from the header in p, len. */
void header_summarize(const char *p, size_t len, struct header_summary *out);

enum { HEADER_DOMAIN_MAX = 255 };

/* One address of an address list. */
struct header_mailbox {
	const char *local; /* as written, into the header */
	size_t local_len;
	char domain[HEADER_DOMAIN_MAX + 1]; /* lower case, NUL-terminated,
					       comments and spaces removed */
	size_t domain_len;
	bool is_display; /* an address in the place of a display name */
};

/*
 * Parse an address list: the value of From, To, ... (RFC 5322 section 3.4,
 * with obsolete forms and RFC 6532 bytes; groups, comments, quoted strings
 * and encoded words are understood).
 *
 * out, max   room for so many mailboxes
 * count      mailboxes found; 0 is possible: "undisclosed:;"
 *
 * "a@b.example <c@d.example>" is wrong but common; it gives both
 * mailboxes, the first with is_display: whoever checks the sender must
 * check both, because readers of the mail may see either.
 *
 * Returns 0; -EBADMSG when it is no address list, or a domain is no domain;
 * -E2BIG when it holds more than max mailboxes. On error *count is
 * untouched and out is undefined.
 */
int header_mailboxes(const char *value, size_t len, struct header_mailbox *out,
    size_t max, size_t *count) MUST_CHECK;

/*
 * The msg-id in the value of Message-ID, with its angle brackets (RFC 5322
 * section 3.6.4). Returns 0 with *id pointing into value; -EBADMSG when
 * there is none, or it has spaces or control characters inside.
 */
int header_message_id(
    const char *value, size_t len, const char **id, size_t *id_len) MUST_CHECK;

/*
 * Copy a value without folding and without space at its ends (RFC 5322
 * section 2.2.3). Cut at out_size; no NUL is added. Returns the bytes
 * written.
 */
size_t header_unfold(const char *value, size_t len, char *out, size_t out_size);

/*
 * Copy an unstructured value (Subject) for a person to read: unfolded,
 * encoded words (RFC 2047; Q and B; utf-8, us-ascii, iso-8859-1) decoded,
 * those of other charsets left as they are. The result is valid UTF-8
 * without control characters: bytes that are neither become '?' or space.
 * Cut at out_size between characters; no NUL is added. Returns the bytes
 * written.
 */
size_t header_decode(const char *value, size_t len, char *out, size_t out_size);

#endif
