/*
 * Why mail was not taken: from a server's reply, or from the diagnostic text
 * of a report, to one word. deliver and bouncer use the same rules.
 *
 * A class is about the cause; whether an address is given up (is_hard) needs
 * a permanent reply and a class that is about the address itself. That our
 * address or our content was refused never makes a recipient bad.
 */
#ifndef LIB_REPLY_CLASS_H
#define LIB_REPLY_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Where in the dialogue a reply came; a set is an OR of these. */
enum reply_phase {
	REPLY_CONNECT = 1 << 0, /* greeting, EHLO, HELO */
	REPLY_STARTTLS = 1 << 1,
	REPLY_MAIL = 1 << 2,
	REPLY_RCPT = 1 << 3,
	REPLY_DATA = 1 << 4,
	REPLY_DOT = 1 << 5,
	REPLY_REPORT = 1 << 6, /* diagnostic text of a report */
};

struct reply_question {
	unsigned code;	 /* 0: not known */
	struct str enh;	 /* "5.1.1"; empty: looked for in the text */
	struct str text; /* raw, lines parted by LF */
	enum reply_phase phase;
};

struct reply_answer {
	enum reason reason;
	bool is_hard;  /* the address itself is bad */
	bool is_retry; /* another attempt may succeed */
};

/*
 * A rule. Everything given must match; the first rule that matches decides.
 *
 * code    0: any
 * enh     "5.7.26", "*.1.1" or "5.1.*"; NULL: any
 * text    what occurs in the text: lower case, white space as one blank,
 *         "*" for any run of bytes; NULL: any
 * phases  enum reply_phase, or-ed; 0: any
 */
struct reply_rule {
	uint16_t code;
	const char *enh;
	const char *text;
	uint8_t phases;
	uint8_t reason; /* enum reason */
};

/* The rules that come with the program, in their order. */
extern const struct reply_rule reply_rules_builtin[];
extern const size_t n_reply_rules_builtin;

/* Rules of the administrator, which go before the built-in ones. */
struct reply_rules;
struct reply_rules *reply_rules_new(void);
void reply_rules_free(struct reply_rules **r);

/*
 * Adds a rule behind those added before; its texts are copied. Returns 0;
 * -EINVAL: enh is not a pattern, text has capitals or is empty, or the rule
 * would match everything.
 */
int reply_class_add_rule(
    struct reply_rules *r, const struct reply_rule *rule) MUST_CHECK;

/* rules may be NULL: only the built-in ones. */
void reply_class(const struct reply_rules *rules,
    const struct reply_question *q, struct reply_answer *out);

#endif
