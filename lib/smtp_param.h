/*
 * ESMTP parameters of MAIL and RCPT (RFC 5321 section 4.1.2): SIZE
 * (RFC 1870), BODY (6152), SMTPUTF8 (6531), RET, ENVID, NOTIFY, ORCPT
 * (3461), AUTH (4954) and REQUIRETLS (8689). Pure functions: results point
 * into the caller's text, nothing is allocated.
 */
#ifndef LIB_SMTP_PARAM_H
#define LIB_SMTP_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"

enum {
	SMTP_ENVID_MAX = 100, /* bytes as written, RFC 3461 4.4 */
	SMTP_ORCPT_MAX = 500, /* bytes as written, RFC 3461 4.2 */
};

/* Names the parameters, in masks of what was offered and what was given. */
enum smtp_param {
	SMTP_PARAM_SIZE = 1 << 0,
	SMTP_PARAM_BODY = 1 << 1,
	SMTP_PARAM_SMTPUTF8 = 1 << 2,
	SMTP_PARAM_RET = 1 << 3,
	SMTP_PARAM_ENVID = 1 << 4,
	SMTP_PARAM_AUTH = 1 << 5,
	SMTP_PARAM_REQUIRETLS = 1 << 6,
	SMTP_PARAM_NOTIFY = 1 << 7,
	SMTP_PARAM_ORCPT = 1 << 8,
};

enum smtp_body {
	SMTP_BODY_NONE, /* no BODY parameter: 7BIT by RFC 6152 section 3 */
	SMTP_BODY_7BIT,
	SMTP_BODY_8BITMIME,
};

enum smtp_ret {
	SMTP_RET_NONE,
	SMTP_RET_FULL,
	SMTP_RET_HDRS,
};

/* NEVER never comes with another bit (RFC 3461 section 4.1). */
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1 << 0,
	SMTP_NOTIFY_SUCCESS = 1 << 1,
	SMTP_NOTIFY_FAILURE = 1 << 2,
	SMTP_NOTIFY_DELAY = 1 << 3,
};

struct smtp_mail_params {
	unsigned given; /* enum smtp_param, or-ed */
	uint64_t size;	/* bytes; UINT64_MAX if it does not fit */
	enum smtp_body body;
	enum smtp_ret ret;
	const char *envid; /* xtext as written, checked; NULL if absent */
	size_t envid_len;
	const char *auth; /* xtext as written: a mailbox or <> */
	size_t auth_len;
};

struct smtp_rcpt_params {
	unsigned given;		/* enum smtp_param, or-ed */
	unsigned notify;	/* enum smtp_notify, or-ed; 0 if absent */
	const char *orcpt_type; /* "rfc822" in the client's spelling */
	size_t orcpt_type_len;
	const char *orcpt; /* xtext as written, checked; NULL if absent */
	size_t orcpt_len;
};

/* Where in the text the refused parameter stands, for the reply. */
struct smtp_param_bad {
	const char *text; /* points into the caller's text; may be unsafe */
	size_t len;
};

/*
 * Parse what follows the path in MAIL or RCPT: parameters between spaces
 * (more than one space, and spaces at the ends, are tolerated).
 *
 * s, len    the text, in bytes; need not end in NUL; may be empty
 * offered   enum smtp_param, or-ed: those the server announced; the others
 *           are unknown. Not all of RET, ENVID, NOTIFY and ORCPT belong to
 *           both commands; a parameter of the other one is unknown too.
 * bad       may be NULL; set only on error
 *
 * SMTPUTF8 among the parameters of MAIL allows UTF-8 in AUTH. For RCPT the
 * caller passes utf8 as MAIL had it (RFC 6533 section 3: ORCPT=utf-8;).
 *
 * Returns 0; -EBADMSG for bad syntax or a bad value (reply 501); -EEXIST
 * for a parameter given twice (501); -EOPNOTSUPP for an unknown one (555).
 * On error *out is untouched.
 */
int smtp_param_parse_mail(const char *s, size_t len, unsigned offered,
    struct smtp_mail_params *out, struct smtp_param_bad *bad) MUST_CHECK;
int smtp_param_parse_rcpt(const char *s, size_t len, unsigned offered,
    bool utf8, struct smtp_rcpt_params *out,
    struct smtp_param_bad *bad) MUST_CHECK;

/*
 * Decode xtext (RFC 3461 section 4). out may be s itself. Returns the
 * length in bytes, never above len; -EBADMSG for a byte outside 33..126,
 * a '=' or a '+' without two capital hex digits; -ENOSPC when out_size is
 * too small. No NUL is added; out is undefined on error.
 */
ssize_t smtp_xtext_decode(
    const char *s, size_t len, char *out, size_t out_size) MUST_CHECK;

/*
 * Encode as xtext, at most three bytes for one. Any byte may be in s.
 * Returns the length in bytes; -ENOSPC when out_size is too small. No NUL
 * is added; out is undefined on error and may not overlap s.
 */
ssize_t smtp_xtext_encode(
    const char *s, size_t len, char *out, size_t out_size) MUST_CHECK;

#endif
