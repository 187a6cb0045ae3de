/* Takes a message apart into what the readers look at. */
#include <ctype.h>
#include <string.h>

#include "address.h"
#include "fields.h"
#include "header.h"
#include "read.h"
#include "text.h"

/* Words beyond this are not for people. */
#define WORDS_MAX (64 * 1024)

/* How a line begins that stands before the original message. */
static const char *const markers[] = { "original message", "original mail",
	"original e-mail", "original headers", "below this line",
	"below the next line", "this is a copy of", "this is the copy of",
	"enclosed is a copy", "attached is a copy", "included is a copy",
	"below is a copy", "a copy of the original", "a copy of your",
	"here is a copy", "here is your original", "copy of the original",
	"the header of the original", "the headers of the original",
	"header of the original", "headers of the original",
	"message header follows", "message headers follow",
	"the first 50 lines", "the first 20 lines", "unsent message follows",
	"unsent message below", "returned message", "your message reads",
	"your original message", "the original message follows",
	"the original message is",
	"the original message was:", "original message follows",
	"old message:", "forwarded message", "message body suppressed",
	"mensaje original", "oorspronkelijke", "urspr\xc3\xbcngliche",
	"en-t\xc3\xaates de message d'origine",
	"encabezados de mensajes originales",
	"encabezados del mensaje original", "intestazioni",
	"cabe\xc3\xa7"
	"alhos",
	"original messages", "\xe5\x85\x83\xe3\x81\xae",
	"undelivered message follows", "summary of the undelivered",
	"a summary of the undelivered", "text of your message follows",
	"the text of your message", "your message follows", "unsent message",
	"message header", "-original message", NULL };

/* Such lines speak about the original, and more follows. */
static const char *const no_markers[] = { "original message was received",
	"the original message was received", "original message id",
	"original message subject", "original message date", NULL };

/* Fields that only a transport agent writes begin an original, marked or
 * not. */
static bool
begins_header(struct str line)
{
	while (line.len > 0 && (line.p[0] == '>' || line.p[0] == ' ')) {
		line.p++;
		line.len--;
	}
	return text_begins(line, "Received: ") ||
	    text_begins(line, "Received:from ") ||
	    text_begins(line, "Return-Path: ") ||
	    text_begins(line, "DKIM-Signature:");
}

static bool
is_marker(struct str line, bool is_first)
{
	struct str s = str_trim(line);

	if (s.len == 0 || s.len > 120) {
		return false;
	}
	if (begins_header(s)) {
		return !is_first;
	}
	return text_begins_any(s, markers) && !text_begins_any(s, no_markers);
}

/* Where the words for people end and the original begins. */
static void
split_words(struct reading *r)
{
	struct str rest = buf_str(&r->words);
	bool is_first = true;

	r->notice = rest;
	r->quoted = (struct str){ "", 0 };
	while (rest.len > 0) {
		struct str at = rest;
		struct str line = text_line(&rest);

		if (is_marker(line, is_first)) {
			r->notice.len -= at.len;
			r->quoted = begins_header(str_trim(line)) ? at : rest;
			return;
		}
		if (str_trim(line).len > 0) {
			is_first = false;
		}
	}
}

static void
collect_words(struct reading *r, enum mime_type type)
{
	for (size_t i = 0; i < r->mime.n_parts; i++) {
		const struct mime_part *p = &r->mime.parts[i];
		size_t room = WORDS_MAX - r->words.len;

		/* text behind the original belongs to it */
		if (p->type == MIME_ORIGINAL) {
			break;
		}
		if (p->type != type || p->text.len == 0) {
			continue;
		}
		buf_add(&r->words, p->text.p,
		    p->text.len < room ? p->text.len : room);
		if (r->words.len < WORDS_MAX) {
			buf_u8(&r->words, '\n');
		}
	}
}

static void
find_original(struct reading *r)
{
	const struct mime_part *p = mime_find(&r->mime, MIME_ORIGINAL);

	if (p != NULL) {
		r->original = p->text;
		return;
	}
	r->original = text_skip_blank(r->quoted);
}

static void
read_header(struct reading *r)
{
	char value[FIELD_VALUE_MAX + 1];
	struct str address, header = r->mime.header;
	size_t n;

	if (fields_get(header, "Subject", value, sizeof(value))) {
		n = header_decode(
		    value, strlen(value), r->subject, sizeof(r->subject) - 1);
		r->subject[n] = '\0';
		for (char *p = r->subject; *p != '\0'; p++) {
			*p = (char)tolower((unsigned char)*p);
		}
	}
	if (fields_get(header, "From", value, sizeof(value)) &&
	    address_of_field(str_of(value), &address)) {
		report_set_address(r->from, address);
	}
	if (fields_get(header, "To", value, sizeof(value)) &&
	    address_of_field(str_of(value), &address)) {
		report_set_address(r->to, address);
	}
	if (fields_get(header, "Return-Path", value, sizeof(value))) {
		struct str path = str_trim(str_of(value));

		r->has_null_sender =
		    str_is(path, "<>") || text_begins(path, "<MAILER-DAEMON");
	}
}

void
reading_init(struct reading *r, struct str message)
{
	memset(r, 0, sizeof(*r));
	mime_read(message, &r->mime);
	collect_words(r, MIME_TEXT);
	if (str_trim(buf_str(&r->words)).len == 0) {
		buf_clear(&r->words, WORDS_MAX);
		collect_words(r, MIME_HTML);
	}
	split_words(r);
	find_original(r);
	read_header(r);
	text_fold(r->notice, &r->folded);
}

void
reading_fini(struct reading *r)
{
	mime_fini(&r->mime);
	buf_fini(&r->words);
	buf_fini(&r->folded);
}
