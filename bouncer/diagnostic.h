/*
 * From what a server said to a verdict: codes in the text, whether another
 * attempt could help, the reason's class.
 */
#ifndef BOUNCER_DIAGNOSTIC_H
#define BOUNCER_DIAGNOSTIC_H

#include "report.h"
#include "str.h"

struct diagnostic {
	unsigned code;		      /* basic reply code; 0: none */
	char enh[REPORT_STATUS_SIZE]; /* enhanced code, or "" */
};

/* The codes of the reply in a diagnostic text. */
void diagnostic_read(struct str text, struct diagnostic *out);

/* A Status field's code ("5.1.1 (bad address)"): copies the three numbers.
 * dst has REPORT_STATUS_SIZE bytes and is "" when there is none. */
void diagnostic_status(struct str value, char *dst);

/*
 * Fills status, reason, is_permanent and is_hard of a recipient whose
 * addresses, action, text and field status (or "") are known. notice: the
 * report's words for people, asked when the text says nothing. host: who said
 * it, for rules of bounce.cf.
 *
 * Which code counts: one in the diagnostic text, if it is of the class
 * (4 or 5) that the Status field has, because many systems put 5.0.0 or 5.1.1
 * in the field and the server's own code in the text.
 */
void diagnostic_judge(
    struct report_rcpt *r, struct str notice, struct str host);

#endif
