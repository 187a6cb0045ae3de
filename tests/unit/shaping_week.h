/*
 * A week of a sender that shapes: the core and shaping.cf as they are, a
 * deliver of connections only (shaping_week_deliver.c), the servers of others
 * (shaping_week_servers.c), and what they expect (shaping_week_watch.c).
 */
#ifndef TESTS_SHAPING_WEEK_H
#define TESTS_SHAPING_WEEK_H

#include "core_world.h"
#include "shape.h"

#define HOUR_US (3600 * 1000000ULL)
#define DAY_US (24 * HOUR_US)
#define WEEK_DAYS 7u
#define WEEK_SOURCES 3u
#define WEEK_MAIL 500000u
#define WEEK_BINS (WEEK_DAYS * 144u) /* of ten minutes */
#define WEEK_RCPTS 7u		     /* of a message at most */

/* Source 2 is warmed up: so many recipients a day at a provider. */
#define WEEK_COLD 2u
#define WEEK_CEILING 400u

/* What account 1 may: transactions at a time, and in a minute. */
#define WEEK_ACCOUNT 1u
#define WEEK_ACCOUNT_JOBS 3u
#define WEEK_ACCOUNT_RATE 60u
#define WEEK_ACCOUNT_BURST 4u

/* deliver begins a job on an idle connection within so long. */
#define WEEK_BEGIN_US 20000u

/* Open connections of each source. */
#define WEEK_SOURCE_CONNS 7u

/* Hours of the week, or of each day. */
#define OUTAGE_FROM_H 24u
#define OUTAGE_BACK_H 48u
#define SLOW_FROM_H 30u
#define SLOW_BACK_H 38u
#define SLOW_WELL_H 42u
#define BLOCK_FROM_H 58u
#define THROTTLE_FROM_H 8u
#define THROTTLE_BACK_H 16u

enum week_site {
	OUTAGE, /* gone for a day; takes three seconds for each */
	GREY,	/* refuses whom it has not seen for five minutes */
	THROTTLE_A,
	THROTTLE_B, /* 421 above 20 messages a minute, eight hours a day */
	BLOCK_A,
	BLOCK_B, /* nine hours nothing from source 0 */
	SLOW,	 /* gone for eight hours, and comes back by and by */
	BUSY,	 /* 451 to all, two hours a day, and 421 to some afterwards */
	NEVER,	 /* not there */
	TIGHT,	 /* few connections, short ones, rarely */
	LIMIT,	 /* asks for less by a rule with limits */
	HARSH,	 /* slow to greet, and wants nothing for an hour each day */
	WEEK_SITES,
};

extern const char *const week_names[WEEK_SITES];
extern const char week_conf[];

struct week_mail {
	uint32_t expiry_s;
	uint32_t not_before_s; /* next attempt */
	uint32_t not_after_s;  /* 0: whenever */
	uint32_t first_s;      /* attempt; 0: none yet */
	uint8_t site;
	uint8_t nrcpt;
	uint8_t over;	 /* recipients, a bit each */
	uint8_t is_done; /* CORE_MESSAGE_DONE */
};

/* A job with deliver. */
struct week_job {
	struct world_job j;
	uint32_t lsn;
	enum week_site site;
	uint64_t given_us;
	uint32_t open_ms;
	uint32_t start_ms;
	uint32_t conn_messages;
};

struct week_reply {
	const char *text; /* NULL: taken, or no answer at all */
	unsigned code;
	enum reply_phase phase;
	enum reason reason;
	bool is_connect; /* there was no connection */
	uint32_t takes_ms;
};

struct week;
struct week_deliver;
struct week_watch;

struct week {
	struct world w;
	struct shape *shape;
	struct week_deliver *deliver;
	struct week_watch *watch;
	uint64_t random;
	uint64_t shape_us; /* when an effect ends */
	uint32_t domain[WEEK_SITES];
	struct week_mail mail[WEEK_MAIL];
	uint32_t nmail;
	uint32_t delivered; /* recipients */
	uint32_t expired;
	uint32_t sent; /* recipients */
	uint32_t bins[WEEK_SITES][WEEK_BINS];
};

/* 0 to n - 1. */
uint32_t week_random(struct week *s, uint32_t n);
uint64_t week_since_us(const struct week *s);
struct str week_ip(void *arg, uint32_t source);
/* The attempt is over; reply->text NULL and no is_connect: delivered. */
void week_result(
    struct week *s, const struct week_job *j, const struct week_reply *reply);

/* ---- deliver ------------------------------------------------------------ */

struct week_deliver *week_deliver_new(void);
/* Gives back the most it has had open, of all paths. */
unsigned week_deliver_free(struct week_deliver **d);
/* CORE_JOB, CORE_CANCEL, CORE_CLOSE in w.out. */
void week_deliver_output(struct week *s);
void week_deliver_recall(struct week *s, uint32_t path);
uint64_t week_deliver_wake_us(const struct week *s);
/* What is due. */
void week_deliver_run(struct week *s);

/* ---- servers ------------------------------------------------------------ */

/* A connection comes, that was allowed at given_us. False: it is refused, by
 * *reply. */
bool week_servers_connect(struct week *s, enum week_site site, uint32_t source,
    uint64_t given_us, struct week_reply *reply);
/* How long it takes to connect. */
uint32_t week_servers_latency_ms(struct week *s, enum week_site site);
/* A transaction begins, the nth over its connection. */
void week_servers_mail(struct week *s, const struct week_job *j,
    uint32_t source, unsigned nth, struct week_reply *reply);

/* ---- what they see: each of these checks all that was stated ------------- */

struct week_watch *week_watch_new(void);
void week_watch_free(struct week_watch **v);
void week_watch_connect(
    struct week *s, enum week_site site, uint32_t source, uint64_t given_us);
void week_watch_disconnect(
    struct week *s, enum week_site site, uint32_t source);
/* Nobody was there to connect to. */
void week_watch_vain(struct week *s, enum week_site site);
void week_watch_mail(
    struct week *s, const struct week_job *j, uint32_t source, unsigned nth);
/* The sender knows of the reply from now on. */
void week_watch_told(
    struct week *s, const struct week_job *j, const struct week_reply *reply);
/* An effect of shaping.cf has changed. */
void week_watch_effect(struct week *s, const struct event_path_state *fact);
/* At each instant: nothing lasts longer than stated. */
void week_watch_now(const struct week *s);
/* At the end: limits were felt, effects were entered, all have been left. */
void week_watch_check(const struct week *s);

/* Open connections. */
uint32_t week_watch_conns(const struct week *s, enum week_site site);
/* Whether the site, or its provider, has had n messages in a minute. */
bool week_watch_had(const struct week *s, enum week_site site, uint32_t n);

#endif
