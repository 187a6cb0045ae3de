/*
 * What stands around the queue manager in tests: a spool in a temporary
 * directory, writers of segments, and the processes at the other ends of its
 * channels, all in this process.
 */
#ifndef TESTS_QMGR_WORLD_H
#define TESTS_QMGR_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "event.h"
#include "ipc.h"
#include "qmgr.h"

#define WORLD_JOBS 256
#define WORLD_ACCOUNTS 8

/* A job as the fake deliver got it; texts are copies. */
struct world_job {
	uint64_t job;
	struct uuid msgid;
	uint64_t segid;
	uint64_t rec_off;
	uint64_t content_off;
	uint32_t content_len;
	uint32_t content_crc;
	char mail_from[256];
	uint8_t is_fixed;
	char user[32];
	char password[32];
	char tls[16];
	char next_hop[256];
	uint16_t ordinals[64];
	uint32_t attempts[64];
	uint32_t n;
	bool is_open;
};

struct world {
	struct qmgr *q;	       /* NULL: not running */
	struct world_seg *seg; /* world_begin's */
	struct peer *deliver;
	struct peer *smtpd;
	struct peer *resolvd;
	struct peer *accountd;
	struct peer *bouncer;
	bool is_silent; /* a new deliver does not say reconciled */

	struct world_job jobs[WORLD_JOBS];
	uint32_t n_jobs;
	uint64_t seq;	/* of deliver's results */
	uint64_t acked; /* the last that qmgr acknowledged */
	uint32_t files; /* descriptors it got */
	uint32_t drops;

	uint32_t reports; /* jobs that bouncer got */
	uint64_t last_report;
	struct uuid last_report_id;
	uint32_t dsns;
	uint64_t last_dsn;
	uint8_t last_action;  /* enum dsn_action; of all its recipients */
	uint32_t told[3];     /* recipients so far, by action */
	char last_status[16]; /* of the last of them */
	const char *esmtp;    /* what servers offer, in results */

	const struct routes *routes; /* for the next start */
	bool is_dns_back;	     /* domains later.* have an answer */

	uint8_t pressure; /* as smtpd heard it */
	bool is_full[WORLD_ACCOUNTS];
	uint32_t told_full; /* how often it heard of an account */
};

extern struct world w;

/* setup and teardown of a test: a fresh spool with nothing running. */
int world_setup(void **state);
int world_teardown(void **state);

/* The same around a running qmgr and a writer of w.seg. */
int world_begin(void **state);
int world_end(void **state);

/* Lines for packetboat.cf, before world_start. */
void world_conf(const char *lines);

/* Starts qmgr and all channels, and lets it come to rest. */
void world_start(void);
/* Until nothing happens any more and the journal is durable. */
void world_settle(void);
/* Ends qmgr as kill -9 does: nothing that is not synced is written. Channels
 * of the others are closed. */
void world_kill(void);

/* Less than packetboat.cf can say, until the next start. */
void world_memory_limit(uint64_t bytes);
/* accountd tells of an account. */
void world_tenant(uint32_t account, uint32_t queue_limit);
/* Another smtpd comes, and knows nothing. */
void world_smtpd_restarts(void);

/* ---- segments ----------------------------------------------------------- */

/* A writer of segments; number names it: writer, incarnation, number. */
struct world_seg;
struct world_seg *world_seg(uint8_t writer, uint32_t inc, uint32_t number);
void world_seg_close(struct world_seg **s);
uint64_t world_segid(const struct world_seg *s);

/* What a test wants of a message; zeroes give sensible values. */
struct world_mail {
	const char *sender;
	const char *rcpts[8];
	uint8_t notify[8];
	const char *content;
	uint32_t account;
	uint32_t flags;
	uint64_t expires_us;
	uint64_t not_before_us;
	const char *tags;
	uint8_t inbound;
};

/* Appends it to w.seg, and tells qmgr. */
struct uuid world_send(const struct world_mail *m);
/* Appends it; durable after world_sync. */
struct uuid world_mail(struct world_seg *s, const struct world_mail *m);
/* Syncs the segment; tells qmgr, if it runs. */
void world_sync(struct world_seg *s, bool is_sealed);
/* Says that the segment is durable up to off, whatever is so. */
void world_tell(const struct world_seg *s, uint64_t off, bool is_sealed);
/* As world_sync, and tells nobody. */
void world_sync_silently(struct world_seg *s);
/* Bytes of the segment are changed or cut. */
void world_seg_damage(const struct world_seg *s, uint64_t off);
void world_seg_cut(const struct world_seg *s, uint64_t len);
uint64_t world_seg_size(const struct world_seg *s);
bool world_seg_exists(uint64_t segid);

/* ---- deliver ------------------------------------------------------------ */

/* One recipient's result. */
void world_result(
    struct world_job *j, uint32_t i, enum outcome outcome, const char *text);
/* All open jobs end so. */
void world_finish(enum outcome outcome);
/* Jobs without a result. */
uint32_t world_open_jobs(void);
/* The channel breaks; a new one comes with the same process behind it, which
 * names its open jobs, or with another. */
void world_deliver_breaks(void);
void world_deliver_returns(bool is_same);
/* The last notification is durable. */
void world_dsn_done(void);
/* bouncer dies; another comes. */
void world_bouncer_restarts(void);

/* ---- looking ------------------------------------------------------------ */

/* How many events of the type the journal holds. */
unsigned world_events(enum event_type type);
/* The last one of the type; texts until the next call. */
bool world_last_event(enum event_type type, void *event);
/* Writes a checkpoint to its end. */
void world_checkpoint(void);
/* core_dump without what quotas used, which is written every few seconds
 * only; free it. */
char *world_dump(void);
uint32_t world_queued(void);

#endif
