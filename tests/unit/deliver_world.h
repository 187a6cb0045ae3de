/*
 * What stands around deliver in tests: qmgr, resolvd, the spool and the
 * servers, all in this process. Links instead of lib/service.c, lib/peer.c,
 * lib/loop.c and deliver/dial.c.
 */
#ifndef TESTS_DELIVER_WORLD_H
#define TESTS_DELIVER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "event.h"
#include "ipc.h"
#include "plan.h"
#include "stream.h"

/* A result as qmgr would get it; its texts stay until world_stop. */
struct world_result {
	struct ipc_result m;
	struct buf data;
};

/* The server's end of a connection. */
struct world_conn {
	struct stream *s;
	struct buf in;
	char ip[46];
	uint16_t port;
	bool is_closed; /* by the client */
	bool is_tls;
};

#define WORLD_MAX 64

struct world {
	bool is_qmgr_down;
	bool is_resolvd_down;
	bool is_resolvd_silent;
	uint8_t dns_status;
	const char *dns_reason;
	uint32_t ttl_s;
	struct buf plan;
	bool is_secure; /* one of its hosts has TLSA records */
	unsigned plan_requests;
	char refused[WORLD_MAX][46]; /* addresses that refuse connections */
	unsigned n_refused;
	struct world_conn conns[WORLD_MAX];
	unsigned n_conns;
	struct world_result results[WORLD_MAX];
	unsigned n_results;
	uint64_t running[WORLD_MAX]; /* jobs told as running */
	unsigned n_running;
	bool is_reconciled;
	uint64_t reconciled_seq;
	bool is_over;
	uint64_t conns_path; /* what was told last of connections */
	uint32_t open;
	uint32_t usable;
	uint32_t ready;
	uint32_t asked; /* all that was answered */
	unsigned n_told;
};

extern struct world world;

/* cf: the text of packetboat.cf. Unless it says otherwise servers may have any
 * address. */
void world_start(const char *cf);
void world_stop(void);

/* Lets happen what can happen without time passing. Nothing here has helper
 * threads, so nothing is waited for. */
void world_settle(void);

/* As after world_start, without its cost: connections are closed, and all
 * that waits runs into its time. */
void world_reset(void);

/* A host of the destination. */
void world_host(const char *name, uint16_t pref, const char *ip);
/* The same; its TLSA records are: match wrong unusable unknown none. */
void world_host_tlsa(
    const char *name, uint16_t pref, const char *ip, const char *tlsa);
/* Addresses of this text refuse connections. */
void world_refuse(const char *ip);

/* A job, and the message that it is about. Unset fields have defaults. */
struct world_mail {
	uint64_t job;
	uint32_t path;
	uint16_t conn_limit;
	uint32_t conn_messages;
	uint32_t conn_seconds;
	bool may_not_open;
	uint32_t open_ms;
	bool is_counted;
	uint32_t start_ms;
	const char *next_hop;
	const char *from;
	const char *const *rcpts; /* ends with NULL */
	uint8_t notify;		  /* of every recipient */
	const char *orcpt;
	const char *tls;
	bool is_fixed;
	const char *user; /* for AUTH, with the password */
	const char *password;
	const char *source_ip;
	uint32_t flags;
	const char *env_id;
	uint8_t ret;
	struct str content; /* as it goes over the wire, without the dot */
	struct str big;	    /* what follows it in a file of its own */
	bool is_content_damaged;
	bool is_record_damaged;
	bool is_missing; /* the segment is not passed */
};

/* The segment of a job's message. */
uint64_t world_segid(uint64_t job);

/* Stores the message, passes the segment, gives the job. */
void world_job(const struct world_mail *m);

/* Gives a message of qmgr to deliver. */
void world_tell(enum ipc_type type, const void *m);

/* Another qmgr comes up; what the one before heard is forgotten. */
void world_new_qmgr(void);

/* Answers the questions that resolvd kept silent about. */
void world_answer(void);

/* What the client has sent and the server not taken yet. */
struct str world_input(unsigned conn);
void world_take(unsigned conn, size_t n);
void world_send(unsigned conn, const void *p, size_t n);
/* The server begins TLS with a certificate of its own for mx.example. */
void world_tls(unsigned conn);
/* The server closes. */
void world_close(unsigned conn);

#endif
