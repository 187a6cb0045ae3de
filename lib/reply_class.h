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
#include "reason.h"
#include "str.h"

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
	struct str host; /* who said it, as a host name; empty: not known */
	enum reply_phase phase;
};

/* What a rule says beyond the class. */
enum reply_permanence {
	REPLY_AS_SAID,	 /* the codes decide */
	REPLY_PERMANENT, /* no further attempt, whatever the code */
	REPLY_TEMPORARY, /* further attempts, whatever the code */
};

/*
 * A rule. Everything given must match; the first rule that matches decides.
 *
 * code    0: any
 * enh     "5.7.26", "*.1.1" or "5.1.*"; NULL: any
 * text    what occurs in the text: lower case, white space as one blank,
 *         "*" for any run of bytes; NULL: any
 * regex   POSIX extended, without regard to case, on the same text and without
 *         back-references; NULL: any; only in an added rule
 * host    a domain that the answering host is in, lower case; NULL: any
 * phases  enum reply_phase, or-ed; 0: any
 */
struct reply_rule {
	uint16_t code;
	const char *enh;
	const char *text;
	const char *regex;
	const char *host;
	uint8_t phases;
	uint8_t reason;	    /* enum reason */
	uint8_t permanence; /* enum reply_permanence */
	unsigned line;	    /* of bounce.cf; 0: built in */
};

struct reply_answer {
	enum reason reason;
	bool is_permanent;
	bool is_hard;		       /* the address itself is bad */
	bool is_retry;		       /* another attempt may succeed */
	const struct reply_rule *rule; /* that decided; NULL: none fits */
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
 * -EINVAL: enh is not a pattern, text has capitals or is empty, the regex is
 * none or has back-references (their time has no bound), or the rule would
 * match everything.
 */
int reply_class_add_rule(
    struct reply_rules *r, const struct reply_rule *rule) MUST_CHECK;

/* The added rules in their order; NULL behind the last. */
const struct reply_rule *reply_rules_get(const struct reply_rules *r, size_t i);

/*
 * The text as rules are compared with: lower case, single blanks, without
 * codes at the beginnings of lines and without mail addresses; the beginning
 * of a long one. dst has REPLY_TEXT_SIZE bytes. Returns dst.
 */
#define REPLY_TEXT_SIZE 2049
char *reply_text_fold(struct str text, char *dst);

/* rules may be NULL: only the built-in ones. */
void reply_class(const struct reply_rules *rules,
    const struct reply_question *q, struct reply_answer *out);

#endif
