#include "follow.h"

#include <errno.h>
#include <string.h>

#include "accountd.h"
#include "clock.h"
#include "derive.h"
#include "herald.h"
#include "journal_feed.h"
#include "journal_scan.h"
#include "log.h"
#include "loop.h"
#include "service.h"
#include "standing.h"

/* Records looked at in one turn of the loop: other requests wait for it. */
#define SLICE 500
/* At the journal's end events are collected for so long. */
#define WAIT_US (100 * US_PER_MS)
/* While the database takes no changes. */
#define WAIT_FULL_US US_PER_S

static struct {
	struct derive derive;
	struct journal_scan scan;
	struct loop_timer *timer;
	struct store_txn *txn; /* of the slice that is read now */
	int status;	       /* of that slice */
	bool had_cursor;
	bool has_heard; /* of this qmgr how far the journal goes */
} follow;

static bool
on_record(void *arg, const struct journal_hit *hit)
{
	(void)arg;
	follow.status =
	    derive_event(&follow.derive, follow.txn, hit->type, hit->rec);
	return follow.status == 0;
}

static int
write_cursor(struct store_txn *t)
{
	const struct schema_cursor c = { .after = follow.scan.place.after,
		.from = follow.scan.place.from };
	struct buf value = { 0 };
	int r = schema_encode(&value, SCHEMA_cursor, &c);

	if (r == 0) {
		r = store_put(
		    t, STORE_CURSOR, (struct str){ .len = 0 }, buf_str(&value));
	}
	buf_fini(&value);
	return r;
}

/* Reads a slice into an open transaction. */
static int
read_slice(enum journal_scan_status *status)
{
	int r = store_begin(accountd.store, &follow.txn);

	if (r < 0) {
		return r;
	}
	follow.status = 0;
	*status = journal_scan_run(&follow.scan, SLICE, on_record, NULL);
	r = follow.status;
	if (r == 0) {
		standing_judge_changed();
		r = tallies_write(accountd.tallies, follow.txn);
	}
	if (r == 0) {
		r = notices_write(accountd.notices, follow.txn);
	}
	if (r == 0) {
		r = warm_counts_write(accountd.warm, follow.txn);
	}
	if (r == 0) {
		r = write_cursor(follow.txn);
	}
	return r;
}

static void
end_slice(enum journal_scan_status status)
{
	tallies_written(accountd.tallies, standing_tell_quota, NULL);
	herald_committed();
	warm_counts_written(accountd.warm);
	if (status == JOURNAL_SCAN_GAP && follow.had_cursor) {
		log_warn("the journal was removed faster than it was read: "
			 "statistics and suppressions miss events");
	}
	follow.had_cursor = true;
	if (status == JOURNAL_SCAN_MORE || status == JOURNAL_SCAN_GAP) {
		loop_timer_arm(follow.timer, 0);
	} else if (status == JOURNAL_SCAN_END && follow.has_heard) {
		herald_journal_is_read();
	}
}

/*
 * Nothing beyond what is durable is ever read: such a place is of another
 * journal, when the database was restored beside a new spool.
 */
static void
check_journal(void)
{
	uint64_t end = journal_feed_durable();

	if (end == 0 || follow.scan.place.after <= end) {
		return;
	}
	log_warn("the journal is another one than before: it is read from "
		 "its beginning");
	journal_scan_close(&follow.scan);
	journal_scan_init(&follow.scan, (struct journal_place){ 0 });
	follow.had_cursor = false;
}

static void
run(void *arg)
{
	struct journal_place before;
	enum journal_scan_status status = JOURNAL_SCAN_END;
	int r;

	check_journal();
	before = follow.scan.place;
	r = read_slice(&status);
	(void)arg;
	if (r == -ENOSPC && follow.txn == NULL) {
		/* Nothing was read; the events stay where they are. */
		loop_timer_arm(follow.timer, WAIT_FULL_US);
		return;
	}
	if (r == 0 && before.after == follow.scan.place.after &&
	    tallies_changed(accountd.tallies) == NULL &&
	    !notices_are_changed(accountd.notices)) {
		store_abort(&follow.txn); /* nothing was read */
	} else if (r == 0) {
		r = store_commit(&follow.txn);
	} else if (follow.txn != NULL) {
		store_abort(&follow.txn);
	}
	if (r < 0) {
		/* The tallies in memory are ahead of the store now. */
		log_error("events are not booked: %s", strerror(-r));
		service_exit();
		return;
	}
	end_slice(status);
}

static void
changed(void)
{
	if (!loop_timer_is_armed(follow.timer)) {
		loop_timer_arm(follow.timer, WAIT_US);
	}
}

/* Nothing was read yet: begins with the oldest file. */
static void
load_cursor(void)
{
	struct schema_cursor c = { 0 };
	struct buf value = { 0 };
	int r = store_get(accountd.store, NULL, STORE_CURSOR,
	    (struct str){ .len = 0 }, &value);

	if (r == 0 && schema_decode(SCHEMA_cursor, buf_str(&value), &c) < 0) {
		r = -EBADMSG;
	}
	if (r < 0 && r != -ENOENT) {
		fatal("the place in the journal cannot be read: %s",
		    strerror(-r));
	}
	follow.had_cursor = r == 0;
	journal_scan_init(
	    &follow.scan, (struct journal_place){ c.after, c.from });
	buf_fini(&value);
}

static void
take_times(const char *name, const char *list, enum suppression_reason reason)
{
	if (suppress_steps_parse(list, &follow.derive.times.of[reason]) < 0) {
		fatal("%s = %s: not a list of times, or never", name, list);
	}
}

/* The queue's, the webhooks': they are in the journal already. */
static void
on_others_alert(const struct account *a, const struct event_alert *e)
{
	const struct herald_alert alert = { .account = a,
		.name = e->name,
		.text = e->text,
		.is_over = e->is_over != 0 };

	/* What was known long ago is no news after a restore. */
	if (e->time_us + conf()->alert_lifetime > clock_wall_us()) {
		herald_add(&alert, true);
	}
}

void
follow_start(void)
{
	follow.derive.store = accountd.store;
	follow.derive.model = accountd.model;
	follow.derive.tallies = accountd.tallies;
	follow.derive.warm = accountd.warm;
	follow.derive.notices = accountd.notices;
	follow.derive.others_alert = on_others_alert;
	take_times("suppression_bounce_time", conf()->suppression_bounce_time,
	    SUPPRESSION_HARD_BOUNCE);
	take_times("suppression_complaint_time",
	    conf()->suppression_complaint_time, SUPPRESSION_SPAM);
	take_times("suppression_unsubscribe_time",
	    conf()->suppression_unsubscribe_time, SUPPRESSION_UNSUB);
	load_cursor();
	follow.timer = loop_timer_new(run, NULL);
	journal_feed_start(changed);
}

void
follow_stop(void)
{
	if (follow.timer != NULL) {
		journal_scan_close(&follow.scan);
		journal_feed_stop();
		loop_timer_free(&follow.timer);
	}
}

void
follow_on_file(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	journal_feed_on_file(m, peer_take_fd(p));
}

void
follow_on_durable(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	follow.has_heard = true;
	journal_feed_on_durable(m);
}

void
follow_qmgr_up(void)
{
	follow.has_heard = false;
	journal_feed_on_qmgr();
	herald_qmgr_up();
}
