/*
 * The process: its listeners and sessions, and what other processes told it.
 */
#ifndef SMTPD_WORKER_H
#define SMTPD_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "peer.h"
#include "service.h"
#include "session.h"

/* The callbacks of struct service. */
void worker_init(void);
void worker_start(void);
void worker_peer_up(struct peer *p);
void worker_listen(int fd, const struct ipc_listen *m);
void worker_drain(void);
void worker_stop(void);
extern const struct peer_handler worker_handlers[];

/* Serves a fresh connection (taken), or tells it why not. */
void worker_serve(int fd, enum port_role role, const char *ip, uint16_t port);

/* A session exists, or is gone. */
void worker_add(struct session *s);
void worker_remove(struct session *s);

/* Three quarters of the connections are taken: strangers get less time. */
bool worker_is_crowded(void);

/* No new work: the process is about to end. */
bool worker_is_draining(void);
/* Ends the process when it drains and nothing is under way. */
void worker_check_drained(void);

/* NULL: new mail is welcome; else the reply to MAIL. */
const char *worker_pressure(void);

/* The same for the mail of an account; subaccount 0: the account itself. */
const char *worker_tenant_pressure(uint32_t account, uint32_t subaccount);

/* The account of mynetworks_account as last heard; NULL: ask. */
const struct session_account *worker_trusted_account(void);
void worker_set_trusted_account(const struct session_account *a);

/* myhostname. */
const char *worker_hostname(void);

#endif
