#include "qmgr.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "bigs.h"
#include "checkpoint.h"
#include "core_name.h"
#include "dsn_delay.h"
#include "dsn_due.h"
#include "indexer.h"
#include "jobs.h"
#include "keep.h"
#include "log.h"
#include "map.h"
#include "paths.h"
#include "queue_age.h"
#include "relocate.h"
#include "replay.h"
#include "reports.h"
#include "resolve.h"
#include "sources.h"
#include "tenants.h"
#include "tls_learn.h"
#include "tools.h"

/* Segments kept open at most, besides those in use. */
#define OPEN_SEGMENTS 512

uint64_t
qmgr_now(const struct qmgr *q)
{
	return q->wall_base_us + (clock_mono_us() - q->mono_base_us);
}

void
qmgr_write(struct qmgr *q, enum event_type type, const void *event,
    jrn_done_fn *done, uint64_t a, uint64_t b)
{
	q->facts++;
	jrn_write(q->jrn, type, event, done, a, b);
}

/* ---- the journal's word ------------------------------------------------- */

/* All callbacks of the batch have run: no pair is open, or one is. */
static void
note_safe_place(void *arg)
{
	struct qmgr *q = arg;

	if (!q->is_pair_open) {
		q->safe_lsn = jrn_durable(q->jrn);
	}
	outcome_ack(q);
	readers_durable(q, jrn_durable(q->jrn));
}

static void
on_durable(void *arg, uint64_t lsn)
{
	struct qmgr *q = arg;

	(void)lsn;
	loop_defer(&q->safe_defer, note_safe_place, q);
}

static void
on_journal_state(void *arg, bool is_ok, const char *reason)
{
	struct qmgr *q = arg;

	if (is_ok) {
		log_info("the journal can be written again");
		intake_wanted(q);
		turn_wanted(q);
	} else {
		log_error("the journal cannot be written: %s; deliveries wait",
		    reason);
	}
	pressure_check(q);
}

/* ---- the core ----------------------------------------------------------- */

static void
add_retry(struct core_config *c, uint64_t us)
{
	if (c->nretry < CORE_RETRIES) {
		c->retry_s[c->nretry++] = (uint32_t)(us / US_PER_S);
	}
}

/* A word such as "5m" in microseconds; 0 when it is no time. */
static uint64_t
read_time(struct str word)
{
	static const char units[] = "smhdw";
	static const uint64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	const char *unit =
	    word.len != 0 ? strchr(units, word.p[word.len - 1]) : NULL;
	uint64_t n;

	if (unit != NULL) {
		word.len--;
	}
	if (str_u64(word, UINT32_MAX, &n) < 0) {
		return 0;
	}
	return n * US_PER_S * (unit != NULL ? seconds[unit - units] : 1);
}

static int
take_retry(void *arg, const char *word, size_t len)
{
	uint64_t us = read_time((struct str){ word, len });

	if (us != 0) {
		add_retry(arg, us);
	}
	return 0;
}

static void
configure(const struct conf *conf, uint64_t seed, struct core_config *c)
{
	core_config_init(c);
	c->nretry = 0;
	(void)conf_list_each(conf->retry_schedule, take_retry, c);
	if (c->nretry == 0) {
		add_retry(c, 120 * US_PER_S);
	}
	c->jitter_percent = (uint32_t)conf->retry_jitter;
	c->seed = seed;
	c->is_restart = true;
	c->concurrency_limit =
	    (uint32_t)conf->smtp_destination_concurrency_limit;
	c->rcpt_limit = (uint32_t)conf->smtp_destination_recipient_limit;
	c->conn_share = (uint32_t)conf->connection_share_limit;
}

static int
make_core(struct qmgr *q)
{
	struct core_config c;

	configure(q->conf, q->wall_base_us, &c);
	q->core = core_new(&c, qmgr_now(q));
	return q->core != NULL ? 0 : -ENOMEM;
}

static void
make_tables(struct qmgr *q)
{
	q->notes = notes_new();
	q->segs = segs_new(OPEN_SEGMENTS);
	segs_set_closing(q->segs, files_closing, q);
	tls_learn_init(q);
	reports_init(q);
	dsn_init(q);
}

static void
free_tables(struct qmgr *q)
{
	reports_fini(q);
	dsn_fini(q);
	tls_learn_fini(q);
	notes_free(&q->notes);
	segs_free(&q->segs);
}

void
qmgr_empty(struct qmgr *q)
{
	replay_fini(q);
	free_tables(q);
	core_free(&q->core);
	bug_on(make_core(q) < 0); /* it was granted before */
	make_tables(q);
	paths_restart(q);
	sources_tell_core(q);
	resolve_relay(q);
	replay_init(q);
}

/* ---- life --------------------------------------------------------------- */

static int
make_directories(struct buf *error)
{
	static const char *const all[] = { "jrn", "ckp", "keep" };

	for (size_t i = 0; i < array_len(all); i++) {
		if (mkdir(all[i], 0750) < 0 && errno != EEXIST) {
			int r = -errno;

			buf_printf(error, "%s: %s", all[i], strerror(-r));
			return r;
		}
	}
	return 0;
}

static void
on_sealed(void *arg, uint32_t number)
{
	struct qmgr *q = arg;

	if (q->indexer != NULL) {
		indexer_add(q->indexer, number);
	}
}

/* Those of earlier runs are complete too. */
static void
begin_indexes(struct qmgr *q)
{
	if (!q->conf->journal_index) {
		return;
	}
	q->indexer = indexer_new();
	for (uint32_t n = q->oldest_journal; n < q->first_journal; n++) {
		indexer_add(q->indexer, n);
	}
}

static void
begin_journal(struct qmgr *q, uint32_t next)
{
	struct jrn_config c = {
		.file_size = q->conf->journal_file_size,
		.wait_us = (uint32_t)q->conf->journal_sync_time,
		.next = next,
		.durable = on_durable,
		.sealed = on_sealed,
		.state = on_journal_state,
		.arg = q,
	};

	q->first_journal = next;
	q->jrn = jrn_new(&c, q->disk);
}

int
qmgr_open(struct qmgr *q, const struct conf *conf, const struct routes *routes,
    struct shaping *shaping, uint64_t start_us, struct buf *error)
{
	uint32_t next = 1;
	int r;

	*q = (struct qmgr){ .conf = conf,
		.routes = routes,
		.wall_base_us = start_us,
		.mono_base_us = clock_mono_us(),
		.pressure_reason = "" };
	r = make_core(q);
	if (r < 0) {
		shaping_free(&shaping);
		buf_puts(error, "the queue's address space is not granted");
		return r;
	}
	q->disk = disk_new();
	make_tables(q);
	q->jobs = jobs_new(start_us);
	q->bigs = bigs_new();
	tenants_init(q);
	sources_init(q);
	paths_init(q, shaping);
	resolve_init(q);
	r = make_directories(error);
	if (r == 0) {
		r = recover(q, &next, error);
	}
	if (r < 0) {
		return r;
	}
	begin_journal(q, next);
	begin_indexes(q);
	core_start(q->core);
	return 0;
}

void
qmgr_run(struct qmgr *q)
{
	turn_init(q);
	paths_run(q);
	intake_init(q);
	pressure_init(q);
	dsn_delay_init(q);
	queue_age_init(q);
	checkpoint_init(q);
	relocate_init(q);
	reconcile_begin(q);
	scan_segments(q);
	scan_big(q);
	release_all(q);
	keep_run(q);
	turn_wanted(q);
}

void
qmgr_close(struct qmgr *q)
{
	tools_fini(q);
	keep_fini(q);
	indexer_free(&q->indexer);
	disk_free(&q->disk);
	checkpoint_fini(q);
	relocate_fini(q);
	jrn_free(&q->jrn);
	pressure_fini(q);
	dsn_delay_fini(q);
	queue_age_fini(q);
	intake_fini(q);
	turn_fini(q);
	loop_defer_cancel(&q->safe_defer);
	peers_fini(q);
	replay_fini(q);
	resolve_fini(q);
	free_tables(q);
	paths_fini(q);
	bigs_free(&q->bigs);
	jobs_free(&q->jobs);
	core_free(&q->core);
	sources_fini(q);
	tenants_fini(q);
	free(q->rcpts);
}
