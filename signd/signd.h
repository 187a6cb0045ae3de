/*
 * What the parts of signd share.
 */
#ifndef SIGND_SIGND_H
#define SIGND_SIGND_H

#include "keyring.h"
#include "peer.h"
#include "pool.h"

struct signd {
	struct pool *pool;  /* signs */
	struct pool *files; /* one thread: makes and deletes keys in order */
	struct keyring *ring;
	bool knows_all; /* accountd has named all keys in use once */
	bool is_draining;
};

extern struct signd signd;

/* sign_req: requests.c */
void requests_on_sign(struct peer *p, uint32_t id, const void *m);
/* Takes up the requests for domains that were not known so far. */
void requests_retry(void);
/* A peer is gone: its answers are dropped. */
void requests_peer_down(struct peer *p);
/* Before exit: answers what still waits. */
void requests_stop(void);

/* key_make_req, key_delete_req, key_retire_req, key_use and tenants_end: keys.c
 */
void keys_on_make(struct peer *p, uint32_t id, const void *m);
void keys_on_delete(struct peer *p, uint32_t id, const void *m);
void keys_on_retire(struct peer *p, uint32_t id, const void *m);
void keys_on_use(struct peer *p, uint32_t id, const void *m);
void keys_on_end(struct peer *p, uint32_t id, const void *m);
void keys_peer_down(struct peer *p);

/* Commands of tools: explain.c */
struct tool;
void explain_serve(struct tool *t);

/* Ends the process once it drains and nothing is under way. */
void signd_check_drained(void);

#endif
