/*
 * From what a report says to what is told to qmgr. Pure.
 *
 * A return path is for one recipient of one message, so a report that comes to
 * it gives one fact, however many addresses it names (an alias behind ours):
 * an address is condemned only when everything behind it failed for good.
 */
#ifndef BOUNCER_FACTS_H
#define BOUNCER_FACTS_H

#include <stdbool.h>

#include "ipc.h"
#include "report.h"

/*
 * Fills kind, rcpt_to, status, text, class, is_hard, reporting_mta and
 * feedback_type; texts point into r. False: the report changes nothing (a
 * delay, a success, "not spam"), and *why says what it was.
 */
bool facts_from_report(
    const struct report *r, struct ipc_report_fact *out, const char **why);

#endif
