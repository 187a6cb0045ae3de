/*
 * Slows those down who guess at the keys of an account: guard.h with the
 * clock, the parameters, and what is known of the keys' uses.
 */
#ifndef ACCOUNTD_GUARDED_H
#define ACCOUNTD_GUARDED_H

#include "accountd.h"

void guarded_start(void);
void guarded_stop(void); /* late answers are not given */

/* A login to the account (0: nobody's) failed. */
void guarded_fail(uint32_t account, struct str client_ip);

/* A good key of the account was used from there. */
void guarded_good(uint32_t account, struct str client_ip);

/*
 * Sends the answer to a login to this account: at once, or late when the
 * account has many failures and the client's network is not known. Too many
 * late answers at a time, and this one becomes "try later".
 */
void guarded_answer(struct peer *p, uint32_t id, uint32_t account,
    struct str client_ip, const struct ipc_auth_rep *rep);

/* Its late answers are dropped. */
void guarded_peer_down(struct peer *p);

#endif
