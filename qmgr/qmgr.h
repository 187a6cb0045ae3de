/*
 * The queue manager around its core: what the files of this folder share.
 *
 * A message's way: intake.c reads it from its segment and writes it to the
 * journal; when that is durable the core may give it out (turn.c pulls);
 * dispatch.c sends jobs to deliver; results.c writes results to the journal
 * and acknowledges them when they are durable. recover.c rebuilds all of it
 * from checkpoint and journal by the same facts.
 */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "clock.h"
#include "conf.h"
#include "core.h"
#include "core_out.h"
#include "disk.h"
#include "event.h"
#include "ipc.h"
#include "jrn.h"
#include "loop.h"
#include "notes.h"
#include "peer.h"
#include "segs.h"
#include "spool.h"

#define QMGR_PEERS 512
#define QMGR_DELIVERS 64
#define QMGR_KEY_SIZE 32

struct bigs;
struct checkpoint;
struct dsns;
struct jobs;
struct paths;
struct runs;
struct relocation;
struct replay;
struct reports;
struct shaping;
struct sources;
struct tenants;
struct tls_sites;
struct map;

/* A deliver process by its index. */
struct deliver {
	struct peer *peer;  /* NULL: down */
	bool is_reconciled; /* it has said all that it still does */
	bool is_leaving;    /* it is draining: nothing more is given to it */
	uint64_t seen;	    /* its newest result */
	uint64_t seen_at;   /* the journal's position behind that */
	uint64_t wait;	    /* acknowledged when wait_at is settled; 0: none */
	uint64_t wait_at;
	uint64_t acked;
	struct loop_timer *gone; /* its jobs are given up when it rings */
	struct map *conns; /* struct conns by path; NULL: none (conns.c) */
	unsigned channel;  /* how many there have been */
};

struct qmgr {
	const struct conf *conf;
	struct core *core;
	struct jrn *jrn;
	struct disk *disk;
	struct queue_age *queue_age; /* NULL: not running */
	struct indexer *indexer;     /* NULL: no indexes are made */
	struct loop_timer *keep_timer;
	struct segs *segs;
	struct notes *notes;
	struct jobs *jobs;
	struct bigs *bigs;
	struct reports *reports;
	struct dsns *dsns;
	struct dsn_delay *dsn_delay; /* NULL: nobody is warned */
	struct paths *paths;
	struct checkpoint *checkpoint;
	struct relocation *relocation;
	struct runs *runs;
	struct replay *replay; /* what recovery left for intake */
	struct tls_sites *tls_sites;

	/* Asks master for a segment; relocate_file is the answer. NULL: there
	 * is no master. */
	void (*ask_file)(struct qmgr *q);

	uint64_t wall_base_us; /* the core's clock: this and what has passed */
	uint64_t mono_base_us;

	/* turn.c */
	struct loop_defer turn;
	struct loop_timer *again;
	bool is_reconciling; /* deliver processes may still tell what they do */
	bool is_draining;

	/* peers.c */
	struct peer *peers[QMGR_PEERS];
	unsigned n_peers;
	struct deliver delivers[QMGR_DELIVERS];
	unsigned n_delivers; /* highest index seen + 1 */
	struct peer *bouncer;
	struct peer *resolvd;
	struct loop_timer *reconcile_timer;

	/* tenants.c */
	uint8_t return_key[QMGR_KEY_SIZE];
	bool has_return_key;
	bool has_tenants;
	struct tenants *tenants;
	struct sources *sources; /* sources.c */
	uint64_t lifetime_us;

	/* intake.c */
	struct loop_defer intake;
	struct loop_timer *intake_timer;
	uint64_t accepted_lsn; /* of the record whose stored has not ended */
	bool is_pair_open;
	struct loop_timer *orphan_timer;
	bool has_more_mail;	 /* than one turn took in */
	bool is_orphan_turn;	 /* segments without a writer are looked at */
	uint32_t incarnation;	 /* the newest that any segment has */
	struct core_rcpt *rcpts; /* accepted_room's */
	uint32_t rcpts_room;

	/* journal */
	struct loop_defer safe_defer;
	uint64_t safe_lsn; /* replay may begin here: no pair is cut in two */
	uint32_t oldest_journal;
	uint32_t first_journal;	     /* of this run */
	uint32_t checkpoint_journal; /* the first that recovery would read */
	uint32_t live_journal; /* the first with a live message, as of then */
	/* Numbers of accountd's alerts written of late, from alerts_at on. */
	uint64_t alerts[1024];
	unsigned alerts_at;
	uint64_t facts; /* records written since the last checkpoint began */

	/* pressure.c */
	struct loop_timer *pressure_timer;
	unsigned pressure_ticks;
	enum pressure pressure;
	const char *pressure_reason;

	const struct routes *routes; /* fixed next hops, or NULL */
	struct map *dns_failures;    /* domain to text, for CORE_DNS_FAILED */
	uint32_t relay_site;	     /* CORE_NONE: none */
};

/* The one of this process, for callbacks without an argument. */
struct qmgr *qmgr_self(void);

/* The core's time. */
uint64_t qmgr_now(const struct qmgr *q);

/* ---- qmgr.c: life ------------------------------------------------------- */

/* Fills q for the spool in the working directory and recovers the queue from
 * it. routes: the caller's, kept until qmgr_close; NULL: there are none.
 * shaping is taken; NULL: the built-in one. start_us: time since 1970. Returns
 * 0, or -errno with a line in *error. */
int qmgr_open(struct qmgr *q, const struct conf *conf,
    const struct routes *routes, struct shaping *shaping, uint64_t start_us,
    struct buf *error) MUST_CHECK;
/* Begins to work: intake, schedule, timers. */
void qmgr_run(struct qmgr *q);
/* Forgets all that recovery has loaded so far. */
void qmgr_empty(struct qmgr *q);
void qmgr_close(struct qmgr *q);

/* ---- turn.c ------------------------------------------------------------- */

/* Something has changed: the core is asked at the end of this turn. */
void turn_wanted(struct qmgr *q);
void turn_init(struct qmgr *q);
void turn_fini(struct qmgr *q);
/* Whether work is given out now. */
bool turn_is_open(const struct qmgr *q);

/* ---- peers.c ------------------------------------------------------------ */

void peers_up(struct qmgr *q, struct peer *p);
void peers_down(struct qmgr *q, struct peer *p);
void peers_fini(struct qmgr *q);
/* Sends to every peer of these roles. */
void peers_tell(
    struct qmgr *q, unsigned roles, enum ipc_type type, const void *m);
extern const struct peer_handler qmgr_handlers[];

/* ---- intake.c, scan.c --------------------------------------------------- */

void intake_init(struct qmgr *q);
void intake_fini(struct qmgr *q);
/* Looks at all segments in the next turn. */
void intake_wanted(struct qmgr *q);
void intake_durable(
    struct qmgr *q, struct peer *p, const struct ipc_durable *m);
/* The writer's channel is gone. */
void intake_orphan(struct qmgr *q, const struct peer *p);
/* The segment exists; the newest incarnation is that of writers alive. */
struct seg *intake_segment(struct qmgr *q, uint64_t segid);
/* Learns of segments in the directories. */
void scan_segments(struct qmgr *q);
/* Removes big files that no message names. */
void scan_big(struct qmgr *q);

/* A message as the core wants it, from its record. */
struct accepted_view {
	struct core_message m;
	struct core_rcpt *rcpts; /* blocked ones are held */
	uint32_t n;
	struct note note;
	bool is_malformed;
};

/*
 * Makes the core's message of an accepted event, its place and its LSN. rcpts
 * is memory that is used again by the next call. Returns 0 or -EBADMSG.
 */
int accepted_read(struct qmgr *q, const struct event_accepted *e,
    const struct core_place *place, uint64_t lsn,
    struct accepted_view *out) MUST_CHECK;

/*
 * The domain of an address: behind the last @, in lower case, U-labels as
 * A-labels. What is no domain stays as it is; resolvd says so. It is in name,
 * which has size bytes, at least ACCEPTED_DOMAIN_SIZE.
 */
#define ACCEPTED_DOMAIN_SIZE 256
struct str accepted_domain(struct str address, char *name, size_t size);

/* Memory for n recipients, used again by the next call. */
struct core_rcpt *accepted_room(struct qmgr *q, uint32_t n);

/* Gives a message to the core with its notes. 0, -EEXIST, -ENOSPC. */
int accepted_add(struct qmgr *q, const struct event_accepted *e,
    const struct accepted_view *v, uint32_t *msg) MUST_CHECK;

/* Ends what was never to be sent: suppressed recipients, test messages. */
void accepted_settle(struct qmgr *q, uint32_t msg);

/*
 * Reads a message's accepted record again from its segment. The texts are in
 * *buf. Returns 0 or -errno.
 */
int accepted_reread(struct qmgr *q, const struct core_place *place,
    struct buf *buf, struct event_accepted *e) MUST_CHECK;

/* The address of a recipient of the event; empty when there is none. */
struct event_rcpt accepted_rcpt(
    const struct event_accepted *e, uint16_t ordinal);

/* ---- files.c: descriptors for others ------------------------------------ */

/* Sees to it that the process has the file. 0 or -errno. */
int files_to_deliver(
    struct qmgr *q, unsigned index, struct seg *g, uint64_t big) MUST_CHECK;
int files_to_bouncer(struct qmgr *q, struct seg *g, uint64_t big) MUST_CHECK;
/* A job with these files is over. */
void files_done(struct qmgr *q, uint64_t segid, uint64_t big);
/* The process holds nothing any more. */
void files_forget_deliver(struct qmgr *q, unsigned index);
void files_forget_bouncer(struct qmgr *q);
/* segs_set_closing's. */
void files_closing(void *arg, struct seg *g);

/* ---- dispatch.c --------------------------------------------------------- */

void dispatch_job(struct qmgr *q, const struct core_out *o);
void dispatch_cancel(struct qmgr *q, const struct core_out *o);
/* The process is gone for good: its jobs are given out again. */
void dispatch_lost(struct qmgr *q, unsigned index);
/* What a job for the domain at the site says about its next hop: next_hop,
 * is_fixed, auth_*, site, tls_policy. */
void dispatch_hop(
    struct qmgr *q, uint32_t site, struct str domain, struct ipc_job *m);
bool dispatch_is_possible(const struct qmgr *q);

struct job;
/* All recipients had their result, or will not have one. */
void dispatch_finish(struct qmgr *q, struct job *job);

/* ---- results.c ---------------------------------------------------------- */

void outcome_result(struct qmgr *q, struct peer *p, const struct ipc_result *r);
/* A result that is made here: the job could not be sent. */
void outcome_local(struct qmgr *q, struct job *job, uint16_t ordinal,
    uint32_t attempt, enum outcome outcome, const char *text);
/* The core's word that a recipient is final, held, due again ... */
void outcome_core(struct qmgr *q, const struct core_out *o);
/* Acknowledges results that have become durable. */
void outcome_ack(struct qmgr *q);

/* ---- resolve.c ---------------------------------------------------------- */

void resolve_init(struct qmgr *q);
void resolve_fini(struct qmgr *q);
void resolve_domain(struct qmgr *q, uint32_t domain);

/* ---- reconcile.c -------------------------------------------------------- */

void reconcile_begin(struct qmgr *q);
/* Something that work waited for has come. */
void reconcile_check(struct qmgr *q);
void reconcile_running(
    struct qmgr *q, struct peer *p, const struct ipc_running *m);
void reconcile_done(
    struct qmgr *q, struct peer *p, const struct ipc_reconciled *m);

/* ---- recover.c ---------------------------------------------------------- */

/* Checkpoint and journal into the empty core. *next: number of the first
 * journal file to make. */
int recover(struct qmgr *q, uint32_t *next, struct buf *error) MUST_CHECK;
/*
 * The LSN of an accepted record that a crash parted from its place, which
 * intake is about to write; 0: there is none. Asked once.
 */
uint64_t recover_orphan(struct qmgr *q, const struct uuid *id);

/* ---- release.c: what is not needed any more ----------------------------- */

void release_message(struct qmgr *q, const struct core_out *o);
/* Removes the segment if nothing holds it. */
void release_segment(struct qmgr *q, struct seg *g);
void release_all(struct qmgr *q);

/* ---- pressure.c --------------------------------------------------------- */

void pressure_init(struct qmgr *q);
void pressure_fini(struct qmgr *q);
/* Tells a new smtpd. */
void pressure_tell(struct qmgr *q, struct peer *p);
void pressure_check(struct qmgr *q);
/* Says of which tenants no more mail is wanted, where that has changed. */
void pressure_tenants(struct qmgr *q);

/* ---- readers.c, retention.c --------------------------------------------- */

void readers_up(struct qmgr *q, struct peer *p);
void readers_durable(struct qmgr *q, uint64_t lsn);
void readers_want(
    struct qmgr *q, struct peer *p, const struct ipc_journal_want *m);
void readers_event(
    struct qmgr *q, struct peer *p, const struct ipc_event_write *m);
/* Removes journal files that retention lets go. */
void retention_apply(struct qmgr *q);

/* ---- tenants.c ---------------------------------------------------------- */

void tenants_init(struct qmgr *q);
void tenants_fini(struct qmgr *q);
void tenants_set(struct qmgr *q, const struct ipc_tenant *m);
void tenants_key(struct qmgr *q, const struct ipc_return_key *m);
void tenants_end(struct qmgr *q);
/* Writes how much of the quotas is used, where it has changed. */
void tenants_write_quotas(struct qmgr *q);

/* Every record the shell writes goes through here, so that it is counted. */
void qmgr_write(struct qmgr *q, enum event_type type, const void *event,
    jrn_done_fn *done, uint64_t a, uint64_t b);

#endif
