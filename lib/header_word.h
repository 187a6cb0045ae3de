/* Encoded words of RFC 2047, for the other files of header.h only. */
#ifndef LIB_HEADER_WORD_H
#define LIB_HEADER_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"

/* =?charset?encoding?text?= ; all pointers into the header. */
struct header_word {
	size_t len; /* of the whole word, bytes */
	const char *charset;
	size_t charset_len;
	char encoding; /* as written: q, Q, b, B or anything else */
	const char *text;
	size_t text_len;
};

/*
 * Is there an encoded word at p? Returns whether; *out is untouched if not.
 * The charset and the text are not looked into.
 */
bool header_word_read(
    const char *p, const char *end, struct header_word *out) MUST_CHECK;

#endif
