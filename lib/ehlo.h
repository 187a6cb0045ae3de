/*
 * What a server said it can do: the lines of its reply to EHLO
 * (RFC 5321 section 4.1.1.1).
 */
#ifndef LIB_EHLO_H
#define LIB_EHLO_H

#include <stddef.h>
#include <stdint.h>

enum ehlo_cap {
	EHLO_PIPELINING = 1 << 0,	   /* RFC 2920 */
	EHLO_SIZE = 1 << 1,		   /* RFC 1870 */
	EHLO_8BITMIME = 1 << 2,		   /* RFC 6152 */
	EHLO_SMTPUTF8 = 1 << 3,		   /* RFC 6531 */
	EHLO_STARTTLS = 1 << 4,		   /* RFC 3207 */
	EHLO_CHUNKING = 1 << 5,		   /* RFC 3030 */
	EHLO_DSN = 1 << 6,		   /* RFC 3461 */
	EHLO_ENHANCEDSTATUSCODES = 1 << 7, /* RFC 2034 */
	EHLO_REQUIRETLS = 1 << 8,	   /* RFC 8689 */
	EHLO_AUTH_PLAIN = 1 << 9,	   /* RFC 4954, 4616 */
	EHLO_AUTH_LOGIN = 1 << 10,
	EHLO_LIMITS = 1 << 11, /* RFC 9422 */
};

struct ehlo {
	unsigned caps;	   /* enum ehlo_cap, or-ed */
	uint64_t size;	   /* bytes the server takes; 0: it names no limit */
	uint64_t rcpt_max; /* LIMITS RCPTMAX; 0: none named */
	uint64_t mail_max; /* LIMITS MAILMAX; 0: none named */
};

/*
 * Read the text of a 250 reply to EHLO as struct smtp_reply holds it, lines
 * joined by SMTP_REPLY_SEPARATOR. The first line is the greeting and is
 * skipped. What is unknown or malformed is ignored, the first of two SIZE
 * values counts: a server's odd line must not stop delivery. *out is
 * overwritten. Also "AUTH=PLAIN" of old servers is understood.
 */
void ehlo_parse(const char *text, size_t len, struct ehlo *out);

#endif
