/*
 * Delivery status notifications that are due: for recipients that failed
 * finally, wait for long, or were relayed to a server that will tell nothing,
 * of messages whose sender has no return path of ours and wants to be told
 * (RFC 3461). The message stays until bouncer has written it.
 */
#ifndef QMGR_DSN_DUE_H
#define QMGR_DSN_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "dsn.h"
#include "event.h"
#include "ipc.h"
#include "results.h"
#include "str.h"

struct qmgr;
struct dsns;

void dsn_init(struct qmgr *q);
void dsn_fini(struct qmgr *q);

/*
 * Around core_result with what may end the last recipient: the message must
 * not be done before its notification is known to be due.
 */
void dsn_hold(struct qmgr *q, uint32_t msg);
void dsn_unhold(struct qmgr *q, uint32_t msg);

/* Whether the message's sender is told by notifications at all. */
bool dsn_tells_sender(const struct qmgr *q, uint32_t msg);

/*
 * Notes that a notification is due, if sender and recipient want it. Of r
 * count what was said, by whom, and attempt (0: none was made). False: none
 * is wanted.
 */
bool dsn_note(struct qmgr *q, const struct subject *s,
    const struct event_rcpt *rcpt, const struct ipc_result *r,
    enum dsn_action action);

/* The recipient is given up. */
void dsn_failed(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r);

/* A server took it: it will tell of its success itself if it offered DSN, else
 * it is told as relayed (RFC 3461 section 5.2.2). */
void dsn_delivered(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r);

/* Recovery. item as in the event; the message is known to the core. */
void dsn_restore(struct qmgr *q, uint32_t msg, struct str item);
void dsn_restore_written(
    struct qmgr *q, uint32_t msg, uint16_t ordinal, uint8_t action);

/* For checkpoints: appends the message's items, none or more. */
void dsn_collect(const struct qmgr *q, uint32_t msg, struct buf *out);

/* bouncer is there, or gone, or has written one. */
void dsn_bouncer_up(struct qmgr *q);
void dsn_bouncer_down(struct qmgr *q);
void dsn_done(struct qmgr *q, const struct ipc_dsn_done *m);

#endif
