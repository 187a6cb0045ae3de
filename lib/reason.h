/*
 * The classes of reasons why mail was not taken, and what follows from each:
 * the one table behind deliver, bouncer, accountd and the manual.
 */
#ifndef LIB_REASON_H
#define LIB_REASON_H

#include <stdbool.h>

#include "attr.h"
#include "str.h"

enum reason {
	REASON_OTHER,
	REASON_BAD_MAILBOX,
	REASON_INACTIVE_MAILBOX,
	REASON_BAD_DOMAIN,
	REASON_MAILBOX_FULL,
	REASON_TOO_LARGE,
	REASON_CONTENT,
	REASON_ATTACHMENT,
	REASON_VIRUS,
	REASON_SPAM_CONTENT,
	REASON_SPAM_IP,
	REASON_POLICY,
	REASON_AUTH,
	REASON_TLS,
	REASON_RATE,
	REASON_GREYLIST,
	REASON_TOO_MANY_RCPT,
	REASON_RELAYING,
	REASON_SENDER,
	REASON_PROTOCOL,
	REASON_CONFIG,
	REASON_DNS,
	REASON_CONNECTION,
	REASON_TIMEOUT,
	REASON_ROUTING,
	REASON_EXPIRED,
	REASON_AUTO_REPLY,
	REASON_CHALLENGE,
	REASON_UNSUBSCRIBE,
	REASON_N
};

/* The final event of a recipient that is given up for a reason. */
enum reason_event {
	REASON_EVENT_BOUNCE,	  /* bounce */
	REASON_EVENT_SOFT_BOUNCE, /* soft_bounce */
	REASON_EVENT_AUTO_REPLY,  /* auto_reply: nothing has failed */
	REASON_EVENT_UNSUBSCRIBE, /* unsubscribe */
};

struct reason_desc {
	const char *name;   /* the word in results, events and logs */
	bool is_hard;	    /* a permanent reply condemns the address */
	bool is_suppressed; /* accountd puts the address on its list then */
	bool is_retried;    /* even a permanent reply is worth another try */
	enum reason_event event;
	const char *text; /* a sentence for the manual */
};

/* The row of a class; there is one for every value below REASON_N. */
const struct reason_desc *reason_desc(enum reason r);

/* -EINVAL when there is no such word. */
int reason_parse(struct str name, enum reason *out) MUST_CHECK;

/* The word nearest to a misspelt one. */
const char *reason_nearest(const char *name);

#endif
