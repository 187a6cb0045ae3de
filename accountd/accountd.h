/*
 * What the parts of accountd share.
 */
#ifndef ACCOUNTD_ACCOUNTD_H
#define ACCOUNTD_ACCOUNTD_H

#include "model.h"
#include "notices.h"
#include "peer.h"
#include "records.h"
#include "store.h"
#include "tallies.h"
#include "tool.h"
#include "waiters.h"
#include "warm_counts.h"

struct accountd {
	struct store *store;
	struct model *model;
	struct tallies *tallies;
	struct notices *notices;
	struct warm_counts *warm;
	struct records_site site;
	bool is_draining;
};

extern struct accountd accountd;

/* Ends the process once it drains and no change is being synced. */
void accountd_check_drained(void);

/* ---- answers to smtpd ---------------------------------------------------- */

/* auth_req and client_req: auth.c */
void auth_on_auth(struct peer *p, uint32_t id, const void *m);
void auth_on_client(struct peer *p, uint32_t id, const void *m);

/* tx_req: tx.c */
void tx_on_tx(struct peer *p, uint32_t id, const void *m);

/* rcpt_req: rcpt.c */
void rcpt_on_rcpt(struct peer *p, uint32_t id, const void *m);

/* forward_req: rcpt.c */
void rcpt_on_forward(struct peer *p, uint32_t id, const void *m);

/* ---- where keys are used from: uses.c ------------------------------------ */

void uses_start(void);
void uses_stop(void); /* writes what is collected */

/* Remembers a use; written to the store within seconds. */
void uses_add(uint32_t key, struct str client_ip);

/* Uses of a key, with those not written yet; fn as store_each's, its values
 * are of SCHEMA_key_use and its keys addresses. 0 or -errno. */
int uses_each(uint32_t key,
    void (*fn)(void *arg, struct str ip, const struct schema_key_use *use),
    void *arg) MUST_CHECK;

/* Forgets all uses of a key. */
void uses_forget(uint32_t key);

/* ---- telling others: push.c ---------------------------------------------- */

/* All that a new peer must know. */
void push_peer_up(struct peer *p);

/* An account has changed; its subaccounts are told about too. */
void push_account(uint32_t id);
/* Its quota is another one now; subaccounts have their own. */
void push_quota(const struct account *a);
/* Before it is removed from the model. */
void push_account_deleted(const struct account *a);
void push_hook(uint32_t id);
void push_hook_deleted(const struct hook *h);
void push_domain(const struct domain *d);
void push_source(const struct source *s);
/* Before it is removed from the model. */
void push_source_deleted(const struct source *s);
/* smtpd asks again about those of an account (0: all). */
void push_changed(uint32_t account);
/* Sessions of a key that is revoked or limited otherwise end. */
void push_key(const struct schema_key *k);

/* ---- checks of domains: checks.c ----------------------------------------- */

void checks_start(void);
void checks_stop(void);

/*
 * Checks a domain now and then calls fn(arg, is_told), perhaps before it
 * returns: is_told false when resolvd did not answer. The result is in the
 * model then, unless the domain was deleted meanwhile.
 */
void checks_run(const struct domain *d, waiter_fn *fn, void *arg);
/* The callback with this argument will not be called. */
void checks_forget(void *arg);
/* Before a domain is removed from the model. */
void checks_deleted(const struct domain *d);

/* ---- tools ----------------------------------------------------------------
 */

/* Serves a tool's command: commands.c */
void commands_serve(struct tool *t);
/* Commands that wait for their change to be durable. */
size_t commands_pending(void);

/* webhookd's word about an endpoint: cmd_hook.c */
void hooks_on_state(struct peer *p, uint32_t id, const void *m);

/* Removes what a deleted account (subaccount 0: all of it) leaves in the
 * store, a little in each turn: purge.c */
void purges_start(uint32_t account, uint32_t subaccount);
void purges_stop(void);

#endif
