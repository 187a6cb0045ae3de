/*
 * What a report says: reads any message that came to a return path or a
 * complaint address. Delivery status notifications (RFC 3464, 6533), the many
 * notices that follow no standard, complaints (RFC 5965), automatic answers
 * (RFC 3834).
 *
 * Pure: bytes in, facts out; no files, no clock, no log. Time and memory are
 * bounded whatever the bytes are.
 */
#ifndef BOUNCER_REPORT_H
#define BOUNCER_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "reply_class.h"
#include "str.h"

/* Bytes of a message that are looked at; what is behind says nothing new. */
#define REPORT_INPUT_MAX (256 * 1024)

/* Recipients read from one report; further ones are not looked at. */
#define REPORT_RCPTS_MAX 100

/* With the NUL. */
#define REPORT_ADDRESS_SIZE 321
#define REPORT_STATUS_SIZE 16
#define REPORT_TEXT_SIZE 2049

enum report_kind {
	REPORT_OTHER,	   /* no report: somebody's mail */
	REPORT_DELIVERY,   /* failed, delayed, delivered ... */
	REPORT_FEEDBACK,   /* about an unwanted message */
	REPORT_AUTO_REPLY, /* a machine answered in a person's place */
};

/* RFC 3464 section 2.3.3 */
enum report_action {
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_DELIVERED,
	REPORT_RELAYED,
	REPORT_EXPANDED,
};

struct report_rcpt {
	char address[REPORT_ADDRESS_SIZE];  /* as the reporter names it */
	char original[REPORT_ADDRESS_SIZE]; /* as we sent it; may be empty */
	char status[REPORT_STATUS_SIZE];    /* "5.1.1", never empty */
	char text[REPORT_TEXT_SIZE];	    /* diagnostic; lines parted by LF */
	char remote_mta[256];		    /* who said it; may be empty */
	enum report_action action;
	enum reason reason;
	bool is_permanent; /* another attempt would not have helped */
	bool is_hard;	   /* failed, and the address itself is bad */
};

struct report {
	enum report_kind kind;
	struct report_rcpt *rcpts; /* only of REPORT_DELIVERY, _FEEDBACK */
	size_t n_rcpts;
	char reporting_mta[256];
	char feedback_type[33]; /* REPORT_FEEDBACK: "abuse", lower case */
	/* REPORT_AUTO_REPLY and REPORT_OTHER: how the message begins */
	char answer[REPORT_TEXT_SIZE];
	bool is_challenge; /* REPORT_AUTO_REPLY: asks the sender to act */
	/* The local part and domain of a return path of ours that the report
	 * names (whoever uses it must have the token checked), or empty. */
	char return_path[REPORT_ADDRESS_SIZE];
};

/* Before the sandbox, once per process. */
void report_init(void);
/* Rules that go before the built-in ones, for all reports from now on; they
 * stay the caller's. NULL: none. */
void report_use_rules(const struct reply_rules *rules);
void report_exit(void);

/* Fills *out, in full; report_fini frees it. */
void report_parse(const void *p, size_t len, struct report *out);
void report_fini(struct report *r);

/* "failed", "delayed" ... */
const char *report_action_name(enum report_action a);

#endif
