/*
 * Learned-required TLS in the queue manager: results become evidence
 * (tls_sites.h), evidence becomes tls_site events, and jobs carry the word.
 */
#ifndef QMGR_TLS_LEARN_H
#define QMGR_TLS_LEARN_H

#include "event.h"
#include "ipc.h"
#include "results.h"
#include "tls_sites.h"

struct qmgr;
struct tool;

void tls_learn_init(struct qmgr *q);
void tls_learn_fini(struct qmgr *q);

/* A result came: what it proves. */
void tls_learn_result(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r);

/* tls_policy for a job to the site. */
struct str tls_learn_word(const struct qmgr *q, struct str site);

/* When sites are learned, by the parameters. */
struct tls_learn tls_learn_rule(const struct qmgr *q);

/* A site as an event; texts are the site's. */
void tls_learn_event(const struct tls_site *s, struct event_tls_site *out);
/* Recovery: as it was. */
void tls_learn_restore(struct qmgr *q, const struct event_tls_site *e);

/* Writes what is known about the site. why: for people. */
void tls_learn_write(struct qmgr *q, struct str site, const char *why);

/* The commands of pbtls(1), "tls.list" ... */
void tool_tls(struct qmgr *q, struct tool *t);

#endif
