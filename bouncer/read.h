/*
 * The readers behind report_parse, each for one family. For the files of the
 * parser only.
 */
#ifndef BOUNCER_READ_H
#define BOUNCER_READ_H

#include <stdbool.h>

#include "mime.h"
#include "report.h"
#include "str.h"

/* What all readers look at. */
struct reading {
	struct mime mime;
	struct buf words;    /* for people: all text parts, or the HTML */
	struct str notice;   /* words up to the original message */
	struct str quoted;   /* words behind it */
	struct buf folded;   /* notice, text_fold */
	struct str original; /* header of the original message, or "" */
	char subject[512];   /* lower case, decoded */
	char from[REPORT_ADDRESS_SIZE];
	char to[REPORT_ADDRESS_SIZE]; /* the sender of the original */
	bool has_null_sender;
};

/* Takes a message apart; reading_fini frees it. */
void reading_init(struct reading *r, struct str message);
void reading_fini(struct reading *r);

/* A new recipient, zeroed, or NULL when there are enough. */
struct report_rcpt *report_add(struct report *r);

/* Cuts to fit. */
void report_set_address(char *dst, struct str address);
void report_set_text(struct report_rcpt *rcpt, struct str text);
void report_set_answer(struct report *r, struct str text);

/* dsn_parse.c: recipients from per-recipient fields. Returns whether there
 * was any. Verdicts are left to the caller. */
bool dsn_parse(struct str fields, struct report *out);

/* arf.c: true when the message is a complaint; *out is filled then. */
bool arf_parse(const struct reading *r, struct report *out);

/* json_notice.c: a notice of a mail service as JSON text. True when it is
 * one; *out is filled then. */
bool json_notice_parse(const struct reading *r, struct report *out);

/*
 * notice.c: addresses in the words for people, found once per report (free()
 * it); recipients from them; and, for a recipient known by its address, the
 * words about it.
 */
struct search;
struct search *notice_search(const struct reading *r);
void notice_parse(struct search *s, struct report *out);
void notice_explain(const struct search *s, struct report_rcpt *rcpt);

/* Is the message about a delivery, to judge by its words? */
bool notice_is_delivery(const struct reading *r);

/* Does the message warn only, because attempts go on? */
bool notice_is_delay(const struct reading *r);

/* auto_reply.c: true when a machine answered; *out is filled then. */
bool auto_reply_parse(const struct reading *r, struct report *out);

/* Does the answer ask the sender to do something before mail is let in? */
bool auto_reply_is_challenge(const struct reading *r);

#endif
