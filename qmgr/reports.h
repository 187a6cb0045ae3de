/*
 * Inbound messages: bounces, complaints, mail to role addresses. They go to
 * bouncer, which says what they mean; never to the schedule.
 */
#ifndef QMGR_REPORTS_H
#define QMGR_REPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "event.h"
#include "ipc.h"

struct qmgr;

/* A report as checkpoints carry it. */
struct report_view {
	struct uuid msgid;
	uint64_t accept_lsn;
	uint32_t account;
	uint32_t subaccount;
	uint64_t big_file;
	struct core_place place;
};

void reports_init(struct qmgr *q);
void reports_fini(struct qmgr *q);

/* A report was read from its segment. Returns its number, or 0: known. */
uint64_t reports_add(struct qmgr *q, const struct event_accepted *e,
    const struct core_place *place);
/* The journal has it: bouncer may have it too. */
void reports_ready(struct qmgr *q, uint64_t number, uint64_t accept_lsn);

/* Recovery. */
void reports_restore(struct qmgr *q, const struct report_view *v);
void reports_restore_consumed(struct qmgr *q, const struct uuid *msgid);
bool reports_known(const struct qmgr *q, const struct uuid *msgid);

/* All that the journal has; *at begins with 0. False at the end. */
bool reports_next(const struct qmgr *q, size_t *at, struct report_view *out);

void reports_bouncer_up(struct qmgr *q);
void reports_bouncer_down(struct qmgr *q);
void reports_fact(struct qmgr *q, const struct ipc_report_fact *m);
void reports_owner(const struct ipc_owner_req *m, struct ipc_owner_rep *out);
void reports_done(struct qmgr *q, const struct ipc_report_done *m);

#endif
