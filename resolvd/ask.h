/*
 * Questions to the name servers, through libunbound on the loop. Every
 * question ends: with an answer, or after dns_timeout. Only so many are under
 * way at a time; the others wait, and their time counts from the beginning.
 */
#ifndef RESOLVD_ASK_H
#define RESOLVD_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "domain.h"
#include "loop.h"
#include "packet.h"

enum answer_status {
	ANSWER_DATA,	  /* packet.n records, or only malformed ones */
	ANSWER_NODATA,	  /* the name exists, without this type */
	ANSWER_NXDOMAIN,  /* there is no such name */
	ANSWER_TEMPORARY, /* SERVFAIL, bogus, malformed, no answer in time */
};

#define ANSWER_REASON_SIZE 160

struct answer {
	enum answer_status status;
	bool is_secure; /* validated by DNSSEC, also that nothing is there */
	char reason[ANSWER_REASON_SIZE]; /* for people, when temporary */
	struct packet packet;		 /* not with ANSWER_TEMPORARY */
};

typedef void ask_fn(void *arg);

enum ask_state {
	ASK_IDLE,    /* zeroed, or ended */
	ASK_WAITING, /* for others to end */
	ASK_SENT,
	ASK_ANSWERED, /* fn is about to be called, or was */
};

/* One question. The owner keeps it, zeroed before the first ask_start. */
struct ask {
	TAILQ_ENTRY(ask) by_time; /* while waiting or sent */
	TAILQ_ENTRY(ask) link;	  /* while waiting */
	struct loop_defer defer;
	ask_fn *fn;
	void *arg;
	uint64_t deadline_us;
	int id; /* libunbound's */
	enum ask_state state;
	uint16_t type; /* enum packet_type */
	char name[DOMAIN_NAME_MAX + 1];
	struct answer answer;
};

/*
 * Asks. fn(arg) is called exactly once, never from within, unless ask_end
 * comes first; then the answer is in a->answer until ask_end. An answer from
 * before is freed. "." is the root. A name that cannot be asked (empty, too
 * long, bytes that are no printable ASCII) is answered with ANSWER_NXDOMAIN.
 */
void ask_start(
    struct ask *a, const char *name, uint16_t type, ask_fn *fn, void *arg);

/* Ends the question, answered or not, and frees the answer. Any number of
 * times; the structure can be used again. */
void ask_end(struct ask *a);

/* Is there a trust anchor, so that answers can be secure? */
bool ask_has_dnssec(void);

/* The name that the first trust anchor is for, as ask_start takes it; empty
 * without one. */
const char *ask_anchor(void);

/*
 * Opens libunbound with the servers and the anchor of the configuration,
 * before the sandbox: it reads what it needs. Ends the process on a mistake
 * in them.
 */
void ask_init(void);

/* All questions must have ended. */
void ask_fini(void);

#endif
