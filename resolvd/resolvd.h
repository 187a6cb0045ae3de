/*
 * resolvd answers every question of the suite about names. Each kind of
 * request has a file with its handler; a request lives from the handler to
 * its one reply, or until its asker is gone.
 */
#ifndef RESOLVD_RESOLVD_H
#define RESOLVD_RESOLVD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "peer.h"

/* Longest text for people about one name (site_rep, plan_rep ...). */
#define REASON_SIZE 512

/* How long what could not be told is believed, seconds. */
#define TTL_TEMPORARY_S 15

/* TTL of addresses that nobody had to ask for, seconds. */
#define TTL_FIXED_S 86400

/* The part of a request that all kinds share. */
struct request {
	TAILQ_ENTRY(request) link;
	struct peer *peer;
	uint32_t id;
	/* The asker is gone: ends all questions and frees the request. */
	void (*cancel)(struct request *r);
};

void request_begin(struct request *r, struct peer *p, uint32_t id,
    void (*cancel)(struct request *r));
/* Sends the reply; the request is over, its owner frees it. */
void request_reply(struct request *r, enum ipc_type type, const void *m);

/* Warns when smtp_tls_level is dane and no TLSA record can be validated. */
void dnssec_check(void);
/* Ends it. */
void dnssec_stop(void);

void requests_peer_down(struct peer *p);
/* Ends the process when the last request is answered. */
void requests_drain(void);
/* Forgets all. */
void requests_stop(void);

/* Handlers. */
void site_on_request(struct peer *p, uint32_t id, const void *m);
void hosts_on_request(struct peer *p, uint32_t id, const void *m);
void address_on_request(struct peer *p, uint32_t id, const void *m);
void domain_on_request(struct peer *p, uint32_t id, const void *m);
void domain_on_keys(struct peer *p, uint32_t id, const void *m);
void ptr_on_request(struct peer *p, uint32_t id, const void *m);

#endif
