#include "keep.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "keep_file.h"
#include "log.h"
#include "loop.h"
#include "qmgr.h"
#include "tenants.h"
#include "uuid.h"

#define SWEEP_US (60 * US_PER_S)

/* ---- what is over ------------------------------------------------------- */

static void
on_swept(void *arg, uint64_t number, int status, int fd)
{
	(void)arg;
	(void)number;
	(void)fd;
	if (status < 0) {
		log_error("keep: %s", strerror(-status));
	} else if (status > 0) {
		log_warn(
		    "keep_content_size: %d files of messages that accounts "
		    "keep are removed before their time",
		    status);
	}
}

static void
sweep(void *arg)
{
	struct qmgr *q = arg;
	struct keep_sweep_job *job = mem_alloc(sizeof(*job));

	job->now_s = qmgr_now(q) / US_PER_S;
	job->limit = q->conf->keep_content_size;
	disk_run(q->disk, keep_sweep_work, job, on_swept, q, 0);
	loop_timer_arm(q->keep_timer, SWEEP_US);
}

void
keep_run(struct qmgr *q)
{
	q->keep_timer = loop_timer_new(sweep, q);
	loop_timer_arm(q->keep_timer, 0);
}

void
keep_fini(struct qmgr *q)
{
	loop_timer_free(&q->keep_timer);
}

/* ---- segments ----------------------------------------------------------- */

static struct keep_segment_job *
job_new(const struct qmgr *q, uint64_t segid)
{
	struct keep_segment_job *job;
	struct keep_rule rule;
	struct buf rules = { 0 };
	bool keeps = false;
	size_t at = 0;

	while (tenants_next_kept(
	    q, &at, &rule.account, &rule.subaccount, &rule.keep_s)) {
		buf_add(&rules, &rule, sizeof(rule));
		keeps = keeps || rule.keep_s != 0;
	}
	job = mem_alloc(sizeof(*job) + rules.len);
	job->segid = segid;
	job->now_s = qmgr_now(q) / US_PER_S;
	if (keeps) {
		job->n = rules.len / sizeof(rule);
		memcpy(job->rules, rules.p, rules.len);
		qsort(job->rules, job->n, sizeof(rule), keep_rule_compare);
	}
	buf_fini(&rules);
	return job;
}

void
keep_segment(struct qmgr *q, uint64_t segid, disk_done_fn *done)
{
	struct keep_segment_job *job = job_new(q, segid);

	if (job->n == 0) {
		free(job);
		done(q, segid, 0, -1);
		return;
	}
	disk_run(q->disk, keep_segment_work, job, done, q, segid);
}

/* ---- large messages ----------------------------------------------------- */

uint64_t
keep_until_s(const struct qmgr *q, const struct core_out *o)
{
	uint32_t keep_s = tenants_keep_s(q, o->account, o->subaccount);

	return keep_s != 0 ? uuid_wall_ms(&o->id) / 1000 + keep_s : 0;
}

static void
on_renamed(void *arg, uint64_t number, int status, int fd)
{
	(void)arg;
	(void)fd;
	if (status < 0) {
		log_error("big/%016" PRIx64 ".msg cannot be kept: %s", number,
		    strerror(-status));
	}
}

void
keep_big(struct qmgr *q, uint64_t number, uint64_t until_s)
{
	struct keep_big_job *job = mem_alloc(sizeof(*job));

	job->number = number;
	job->until_s = until_s;
	disk_run(q->disk, keep_big_work, job, on_renamed, q, number);
}
