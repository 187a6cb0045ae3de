/*
 * Raises alerts and carries them: to the journal by qmgr (and so to the
 * webhooks), as a mail by bouncer, and to the command by master. The last two
 * pass neither qmgr nor the journal, and the command not even the queue: so
 * an alert leaves when one of them is stuck. (standing.h judges accounts.)
 */
#ifndef ACCOUNTD_HERALD_H
#define ACCOUNTD_HERALD_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts.h"
#include "attr.h"
#include "model.h"

void herald_start(void);
void herald_stop(void);

/* The limits that hold for an account or subaccount: its own, else the
 * account's, else the parameters'. */
void herald_rules(const struct account *a, struct alert_rules *out);
/* Where its alerts go; empty: nowhere. */
struct str herald_contact(const struct account *a);

/* What an alert is about, with its words. */
struct herald_alert {
	const struct account *account; /* NULL: the system */
	struct str name;
	struct str text;
	struct str contact; /* empty: the account's */
	bool is_over;
	bool is_copy; /* of one that went the other ways: only a mail */
};

/*
 * Takes in an alert, which is in the store after the next notices_write
 * in somebody's transaction. is_in_journal: it was read there.
 */
void herald_add(const struct herald_alert *a, bool is_in_journal);
/* Writes what was taken in with a transaction of its own; what it cannot
 * write now is written later. */
void herald_write(void);
/* Both. */
void herald_raise(const struct herald_alert *a);
/* An alert of a rule that is on or off for the account; printf's text. */
void herald_tell(enum alert rule, const struct account *a, const char *name,
    bool is_over, const char *fmt, ...) PRINTF(5, 6);

/* After a commit that notices_write was part of: what is new in the store goes
 * to those who carry it once it is durable, so that no death can raise it
 * again under another number. */
void herald_committed(void);

/* A new qmgr: what the one before was given may be lost, or be in the journal.
 * Nothing is written again before that was read to its end. */
void herald_qmgr_up(void);
void herald_journal_is_read(void);

#endif
