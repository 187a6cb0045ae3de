/*
 * What makes a process of the suite: every daemon but master is one struct
 * service and a main that returns service_main. The order of start and of
 * privilege loss is written once, in service.c:
 *
 *   options, parameters, log
 *   init        still with the privileges it was started with
 *   root directory, groups and user, no new privileges
 *   sandbox     system calls, file system, network
 *   start       when all first channels and listeners are there; no message
 *               was handled before
 *   peer_up     for each of the channels, and for later ones when they come
 *   ready       told to master
 *   loop ... drain ... exit
 */
#ifndef LIB_SERVICE_H
#define LIB_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "conf.h"
#include "ipc.h"
#include "peer.h"

/* What the sandbox allows beyond memory, time and open descriptors. */
#define SANDBOX_CONNECT 1u /* TCP and UDP to the outside */
#define SANDBOX_ACCEPT 2u  /* accept on the sockets it holds */
#define SANDBOX_FILES 4u   /* its own directory: open, write, rename, unlink */
#define SANDBOX_FORK 8u	   /* children (resolvd's cages) */
#define SANDBOX_THREADS 16u

struct tool;

struct service {
	const char *name; /* "smtpd"; the user is <user prefix><name> */
	enum role role;
	unsigned sandbox;
	/* Its own directory as a parameter's value, or NULL for an empty
	 * root. It is the working directory from init's end on, so paths are
	 * relative to it. */
	const char *(*directory)(const struct conf *c);
	/* Before privileges are dropped: keys, libraries. 0 or fatal(). */
	void (*init)(void);
	/* Confined, channels are there. */
	void (*start)(void);
	/* A channel to another process came up, or is gone (before it is
	 * freed). May be NULL. */
	void (*peer_up)(struct peer *p);
	void (*peer_down)(struct peer *p);
	const struct peer_handler *handlers;
	/* A listening socket (taken). address is for the log. */
	void (*listen)(int fd, const struct ipc_listen *m);
	/* Keys of TLS tickets, before start and later. May be NULL. */
	void (*ticket_key)(const struct ipc_ticket_key *m);
	/* A tool asks; see tool.h. May be NULL. */
	void (*tool)(struct tool *t);
	/* Accept nothing new; call service_exit when all is done. NULL: exit
	 * at once. A second drain or drain_time's end exits anyway. */
	void (*drain)(void);
	/* Before exit: free everything, so that leak checkers mean something.
	 */
	void (*stop)(void);
};

int service_main(const struct service *s, int argc, char **argv);

/* The configuration, valid until exit. */
const struct conf *conf(void);

/* Which of several processes of the service this is, from 0. */
uint32_t service_index(void);

/* The channel to a process of that role (the newest one), NULL when down. */
struct peer *service_peer(enum role role, uint32_t index);
/* Calls fn for every channel to that role. */
void service_peers(
    enum role role, void (*fn)(struct peer *p, void *arg), void *arg);

/* The channel to master. */
struct peer *service_master(void);

/* Ends the process with 0 after this turn of the loop. */
void service_exit(void);

#endif
