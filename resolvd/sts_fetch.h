/*
 * Fetches the policy of one domain over HTTPS (RFC 8461 section 3.3): its
 * server's addresses are looked up here, and a child without other rights
 * than the network talks to it.
 */
#ifndef RESOLVD_STS_FETCH_H
#define RESOLVD_STS_FETCH_H

#include <stdbool.h>
#include <sys/queue.h>

#include "address.h"
#include "attr.h"
#include "cage.h"
#include "sts_line.h"

/* error: NULL, and the policy, to be taken; else why there is none, shorter
 * than STS_ERROR_SIZE and clean of strangers' bytes. Both are valid until this
 * returns. */
typedef void sts_fetch_fn(
    void *arg, struct sts_policy *policy, const char *error);

/* The owner keeps it, zeroed at first. */
struct sts_fetch {
	TAILQ_ENTRY(sts_fetch) link; /* while it waits for a child */
	bool is_waiting;
	bool has_cage;
	char host[DOMAIN_NAME_MAX + 16];
	struct address address;
	struct buf resolve; /* as libcurl takes it */
	struct cage cage;
	sts_fetch_fn *fn;
	void *arg;
};

/* Loads the certificates of authorities, before the process is confined.
 * Ends the process on a mistake in the configuration. */
void sts_fetch_init(void);
void sts_fetch_fini(void);

/* fn is called once, never from within, unless sts_fetch_end comes first. */
void sts_fetch_start(
    struct sts_fetch *f, const char *domain, sts_fetch_fn *fn, void *arg);
void sts_fetch_end(struct sts_fetch *f);

#endif
