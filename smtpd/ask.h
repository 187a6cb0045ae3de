/*
 * Questions to accountd and signd. One whose process has died, or is just
 * being replaced, is put to the next one: within smtpd_service_timeout the
 * client does not notice.
 */
#ifndef SMTPD_ASK_H
#define SMTPD_ASK_H

#include "attr.h"
#include "ipc.h"
#include "peer.h"

struct ask;

/*
 * Asks. fn gets arg and the answer, or NULL when there was none in time; it is
 * called exactly once, later, and the ask is over then. fd goes along (stays
 * the caller's), or -1. Returns 0, or -errno: it cannot be asked.
 */
int ask_new(struct ask **out, enum role role, enum ipc_type type,
    const void *req, int fd, peer_reply_fn *fn, void *arg) MUST_CHECK;

/* Forgets it: fn will not be called. *a may be NULL; it is set to NULL. */
void ask_cancel(struct ask **a);

/* There is another process: what waits is asked now. */
void ask_again(void);

/* At the end, when all are cancelled. */
void ask_fini(void);

#endif
