/*
 * Facts about recipients, as they are written and logged.
 */
#ifndef QMGR_RESULTS_H
#define QMGR_RESULTS_H

#include <stdint.h>

#include "clock.h"
#include "core_out.h"
#include "ipc.h"
#include "uuid.h"

struct qmgr;

/* Whom a fact is about. */
struct subject {
	uint64_t now_us;
	uint32_t msg;
	struct uuid msgid;
	uint64_t accept_lsn;
	uint32_t account;
	uint32_t subaccount;
	uint16_t rcpt;
	uint64_t sent_us; /* monotonic, when the job was sent; 0: unknown */
};

struct subject outcome_subject(const struct qmgr *q, const struct core_out *o);

/* Milliseconds since the message was accepted. */
uint64_t outcome_age_ms(const struct subject *s);

/* Writes and logs that the recipient is tried again. */
void outcome_deferred(struct qmgr *q, const struct subject *s,
    const struct ipc_result *r, const struct core_verdict *v);

/* Write and log a final fact; failing also sees to a notification. */
void outcome_delivered(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r);
void outcome_failed(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r);

/* Postfix's line: "<id>: to=<>, relay=, delay=, delays=, dsn=, status=". */
void result_log(
    const struct subject *s, const struct ipc_result *r, const char *status);

#endif
