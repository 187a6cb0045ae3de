/*
 * What was refused goes to the journal as "refused" events, so that pblog
 * submissions shows it beside what was accepted. It costs no exchange and no
 * sync: qmgr writes it with whatever it writes next. A flood is bounded by
 * submission_log_client_limit and submission_log_limit; what goes beyond is
 * counted in the next event.
 */
#ifndef SMTPD_REFUSALS_H
#define SMTPD_REFUSALS_H

#include "session.h"

/*
 * A refusal in a submission role. what: "AUTH", "MAIL", "RCPT",
 * "END-OF-MESSAGE"; text: the reply without CRLF; to: the recipient or NULL.
 */
void refusals_note(const struct session *s, const char *what, const char *text,
    const char *to);

#endif
