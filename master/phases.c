/*
 * What master does with all processes: starts them, stops them in their order,
 * and replaces them one row after the other.
 */
#include "child.h"
#include "log.h"
#include "loop.h"

static bool is_stopping;
static bool is_queue_started; /* once more, since the stop began */
/* A reload replaces one row after the other; n_service_rows: none running. */
static unsigned replacing = ~0u;

bool
phases_is_stopping(void)
{
	return is_stopping;
}

/* ---- start -------------------------------------------------------------- */

void
phases_start(void)
{
	for (unsigned i = 0; i < n_service_rows; i++) {
		unsigned n = service_count(&service_rows[i], master_conf());

		for (unsigned k = 0; k < n; k++) {
			child_spawn(child_new(&service_rows[i], k));
		}
	}
	for (struct child *a = children; a != NULL; a = a->next) {
		for (struct child *b = a->next; b != NULL; b = b->next) {
			if (service_talks(a->row->role, b->row->role)) {
				channels_connect(a, b);
			}
		}
	}
	for (struct child *c = children; c != NULL; c = c->next) {
		channels_begin(c);
	}
}

/* ---- stop --------------------------------------------------------------- */

/*
 * Who hands out work ends before who records what became of it: first what
 * talks to the outside, then the queue, then those whom the queue asks.
 */
static const unsigned stop_order[] = { ROLE_SMTPD, ROLE_DELIVER | ROLE_BOUNCER,
	ROLE_QMGR, ROLE_DAEMONS };

static void
stop_next(void)
{
	struct child *next;

	for (size_t i = 0; i < array_len(stop_order); i++) {
		bool any = false;

		for (struct child *c = children; c != NULL; c = next) {
			next = c->next;
			if (((unsigned)c->row->role & stop_order[i]) != 0) {
				any = true;
				child_drain(c);
			}
		}
		if (any) {
			return;
		}
	}
	if (children == NULL) {
		loop_stop();
	}
}

bool
phases_starts_again(const struct child *c)
{
	bool is_needed = c->row->role == ROLE_QMGR && !is_queue_started &&
	    c->state != CHILD_DRAINING;

	is_queue_started = is_queue_started || is_needed;
	return is_needed;
}

/* Nobody is left waiting for a restart, whose end nobody would tell. */
static void
settle_waiting(void)
{
	struct child *next;

	for (struct child *c = children; c != NULL; c = next) {
		next = c->next;
		if (c->state != CHILD_WAITING) {
			continue;
		}
		loop_timer_stop(c->timer);
		if (phases_starts_again(c)) {
			child_spawn(c);
		}
		if (c->state == CHILD_WAITING) {
			child_remove(c);
		} else {
			channels_introduce(c);
		}
	}
}

void
phases_stop(void)
{
	if (!is_stopping) {
		is_stopping = true;
		settle_waiting();
	}
	stop_next();
}

/* ---- reload ------------------------------------------------------------- */

/* Replaces the processes of one row; their number may have changed. */
static void
replace_row(const struct service_row *row)
{
	unsigned n = service_count(row, master_conf());
	struct child *next;

	for (struct child *c = children; c != NULL; c = next) {
		next = c->next;
		if (c->row != row || c->state == CHILD_DRAINING) {
			continue;
		}
		c->is_successor_due = !row->is_overlapping && c->index < n;
		child_drain(c);
	}
	for (unsigned k = 0; k < n; k++) {
		bool is_there = false;

		for (struct child *c = children; c != NULL; c = c->next) {
			is_there = is_there ||
			    (c->row == row && c->index == k &&
				!row->is_overlapping);
		}
		if (!is_there) {
			struct child *c = child_new(row, k);

			child_spawn(c);
			channels_introduce(c);
		}
	}
}

static bool
all_settled(void)
{
	for (struct child *c = children; c != NULL; c = c->next) {
		bool is_leaving =
		    c->state == CHILD_DRAINING && c->row->is_overlapping;

		if (c->state != CHILD_READY && !is_leaving) {
			return false;
		}
	}
	return true;
}

/* One row after the other, each when the one before is ready. */
static void
replace_next(void)
{
	if (replacing < n_service_rows && all_settled() && !is_stopping) {
		const struct service_row *row = &service_rows[replacing++];

		replace_row(row);
		if (replacing == n_service_rows) {
			log_info("reload is complete");
		}
	}
}

void
phases_reload(void)
{
	replacing = 0;
	replace_next();
}

/* ---- what became of one ------------------------------------------------- */

void
phases_ready(void)
{
	replace_next();
}

void
phases_ended(void)
{
	if (is_stopping) {
		stop_next();
	} else {
		replace_next();
	}
}
