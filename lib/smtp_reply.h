/*
 * Replies of a remote server (RFC 5321 section 4.2), parsed as the bytes
 * come in. How the bytes are cut into pieces changes nothing. A server is
 * not trusted: every length has a limit that the caller sets, and the text
 * is kept raw, so whoever prints it must escape it.
 */
#ifndef LIB_SMTP_REPLY_H
#define LIB_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/* Good values for struct smtp_reply_limits. */
enum {
	SMTP_REPLY_TEXT_MAX = 8192, /* bytes */
	SMTP_REPLY_LINE_MAX = 2048, /* bytes; RFC 5321 4.5.3.1.5 says 512 */
	SMTP_REPLY_LINES_MAX = 512,
};

/* Between the lines of a reply's text. No line can contain it. */
#define SMTP_REPLY_SEPARATOR '\n'

struct smtp_reply_limits {
	size_t line_bytes; /* of one line, with code and CRLF */
	size_t lines;	   /* of one reply */
};

/* RFC 3463: class.subject.detail */
struct smtp_enhanced {
	uint16_t class; /* 2, 4 or 5; 0 if there is none (3xx) */
	uint16_t subject;
	uint16_t detail;
};

struct smtp_reply {
	unsigned code; /* 200..599; judge unknown ones by code / 100 */
	struct smtp_enhanced enhanced;
	bool has_enhanced; /* the server sent it; else it is class.0.0 */
	const char *text;  /* after the code and its space; not NUL-ended */
	size_t text_len;   /* bytes; lines joined by SMTP_REPLY_SEPARATOR */
	size_t lines;
};

/* The state between two pieces of input; only .reply is for the caller. */
struct smtp_reply_parser {
	struct smtp_reply reply; /* complete only when feed returned 1 */
	struct smtp_reply_limits limits;
	char *buf;
	size_t buf_size;
	size_t buf_len;
	size_t line_len; /* bytes of this line so far */
	unsigned code;	 /* digits of this line so far */
	bool is_last;	 /* this line ends the reply */
	bool saw_cr;
	bool is_done; /* the next byte begins a new reply */
	int error;    /* sticky */
};

/*
 * Begin. buf holds the text of one reply and belongs to the caller; it
 * must live as long as p and replies taken from it. buf_size is the limit
 * of the text kept, in bytes. Nothing needs to be freed.
 */
void smtp_reply_init(struct smtp_reply_parser *p,
    const struct smtp_reply_limits *limits, char *buf, size_t buf_size);

/*
 * Take in bytes. Stops after the first complete reply.
 *
 * used   bytes taken from data; when a reply is complete, the rest belongs
 *        to the next reply (or came before it was asked for)
 *
 * Returns 1 when p->reply is complete: it stays valid until the next call;
 * 0 when all bytes were taken and more are needed; -EBADMSG when a line is
 * no reply line: code not 200..599 or not followed by space, '-' or CRLF,
 * an empty line, a NUL, a bare CR or a bare LF; -EPROTO when lines of one
 * reply have different codes (RFC 5321 section 4.2.1); -EMSGSIZE above one
 * of the limits. After an error every call returns the same error: the
 * connection has lost its step and must be closed.
 */
int smtp_reply_feed(struct smtp_reply_parser *p, const char *data, size_t len,
    size_t *used) MUST_CHECK;

/* Is a reply begun and not complete? For "connection lost in a reply". */
bool smtp_reply_is_partial(const struct smtp_reply_parser *p);

#endif
