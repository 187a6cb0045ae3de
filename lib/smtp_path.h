/*
 * Addresses as SMTP writes them: the Reverse-path of MAIL and the
 * Forward-path of RCPT (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
 * Pure functions: no allocation, no logging, no state.
 */
#ifndef LIB_SMTP_PATH_H
#define LIB_SMTP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "attr.h"

enum {
	SMTP_LOCAL_MAX = 64,   /* bytes as written, RFC 5321 4.5.3.1.1 */
	SMTP_DOMAIN_MAX = 255, /* bytes, 4.5.3.1.2 */
	SMTP_PATH_MAX = 256,   /* bytes with <, > and route, 4.5.3.1.3 */
	/* Enough for what smtp_path_print writes for any parsed path. */
	SMTP_PATH_PRINT_MAX = SMTP_PATH_MAX + 1,
};

/* What smtp_path_parse may accept beyond a plain ASCII mailbox. */
enum smtp_path_flag {
	SMTP_PATH_UTF8 = 1 << 0,       /* the client asked for SMTPUTF8 */
	SMTP_PATH_NULL = 1 << 1,       /* <> is fine: a reverse-path */
	SMTP_PATH_POSTMASTER = 1 << 2, /* <Postmaster> without a domain */
	SMTP_PATH_UNDERSCORE = 1 << 3, /* _ in domain labels, as hosts do */
};

/* A mailbox as it was written; both parts point into the caller's text. */
struct smtp_path {
	const char *local;  /* with its quotes, if it is a quoted string */
	size_t local_len;   /* bytes, 0 for the null reverse-path <> */
	const char *domain; /* with its brackets, if it is a literal */
	size_t domain_len;  /* bytes, 0 for <> and <Postmaster> */
	bool is_literal;    /* domain is [1.2.3.4] or [IPv6:...] */
};

/*
 * Parse a Reverse-path or Forward-path with its angle brackets
 * (RFC 5321 section 4.1.2). A source route is checked and skipped
 * (appendix C).
 *
 * s, len   the text, in bytes; need not end in NUL; nothing may follow '>'
 * flags    enum smtp_path_flag, or-ed
 *
 * Returns 0; -EBADMSG on a syntax error, which includes control characters,
 * malformed UTF-8, an empty domain and an unknown kind of address literal;
 * -EMSGSIZE above 256 bytes for the path, 64 for the local part or 255 for
 * the domain (section 4.5.3.1); -EILSEQ for bytes above 127 when
 * SMTP_PATH_UTF8 is not set. On error *out is untouched.
 */
int smtp_path_parse(const char *s, size_t len, unsigned flags,
    struct smtp_path *out) MUST_CHECK;

/*
 * The same for a path at the beginning of a longer text, as in
 * "<a@b.example> SIZE=1000": *used becomes the number of bytes up to and
 * including '>'. The caller checks that a space or the end follows.
 * Errors as above; on error *out and *used are untouched.
 */
int smtp_path_parse_prefix(const char *s, size_t len, unsigned flags,
    struct smtp_path *out, size_t *used) MUST_CHECK;

/*
 * Parse a Mailbox without angle brackets (RFC 5321 section 4.1.2), whole
 * text, no source route. SMTP_PATH_NULL and SMTP_PATH_POSTMASTER accept
 * the empty text and "postmaster". Errors as smtp_path_parse.
 */
int smtp_mailbox_parse(const char *s, size_t len, unsigned flags,
    struct smtp_path *out) MUST_CHECK;

/*
 * Copy the local part without quotes and backslashes, that is what it
 * means (RFC 5321 section 4.1.2: quoting never changes the mailbox).
 * Returns the length in bytes, never above path->local_len; -ENOSPC when
 * out_size is too small. No NUL is added; out is undefined on error.
 */
ssize_t smtp_path_local(
    const struct smtp_path *path, char *out, size_t out_size) MUST_CHECK;

/*
 * Print the mailbox without angle brackets in its canonical spelling: the
 * local part is quoted only where it must be, the domain stays as written.
 * Parsing the result and printing it again gives the same bytes. The null
 * path prints as an empty string.
 *
 * Returns the length in bytes without the NUL that is added; -ENOSPC when
 * out_size is too small (SMTP_PATH_PRINT_MAX always suffices for a path
 * that was parsed). out is undefined on error.
 */
ssize_t smtp_path_print(
    const struct smtp_path *path, char *out, size_t out_size) MUST_CHECK;

#endif
