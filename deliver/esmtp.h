/*
 * The lines of a transaction: MAIL and RCPT with the parameters that the
 * server offered. Pure functions. Whatever goes on the wire passes here, and
 * nothing with CR, LF or NUL passes.
 */
#ifndef DELIVER_ESMTP_H
#define DELIVER_ESMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "ehlo.h"
#include "str.h"

/* Enough for any line made here, with CRLF. */
#define ESMTP_LINE_MAX 4096

struct esmtp_mail {
	struct str sender; /* without angle brackets; empty: <> */
	uint64_t size;	   /* bytes of the content */
	uint32_t flags;	   /* MESSAGE_* of event.h */
	bool is_utf8;	   /* SMTPUTF8 is needed */
	uint8_t ret;	   /* 0 none, 1 full, 2 headers */
	struct str env_id; /* xtext as given, or plain */
};

struct esmtp_rcpt {
	struct str address;
	uint8_t notify;	  /* RCPT_NOTIFY_* */
	struct str orcpt; /* "rfc822;a@b", xtext as given */
};

/*
 * "MAIL FROM:<...> ...\r\n" to dst (ESMTP_LINE_MAX bytes). Returns the length;
 * -EBADMSG for an address that cannot be written; -EMSGSIZE when too long.
 */
int esmtp_mail(char *dst, const struct esmtp_mail *m,
    const struct ehlo *server) MUST_CHECK;
int esmtp_rcpt(char *dst, const struct esmtp_rcpt *r,
    const struct ehlo *server) MUST_CHECK;

/* "EHLO name\r\n"; -EBADMSG when the name has a blank or a control byte. */
int esmtp_hello(char *dst, const char *verb, struct str name) MUST_CHECK;

/* Whether SMTPUTF8 is needed for an address (RFC 6531 section 3.2). */
bool esmtp_is_utf8(struct str address);

/*
 * Does a 354 refuse all the same: "354 5.7.1 go away"? Seen with servers that
 * wrap another's reply.
 */
bool esmtp_goahead_is_refusal(struct str text);

#endif
