/*
 * How much new mail there is room for. smtpd is told when that changes;
 * deliveries go on, they make room.
 */
#include <sys/statvfs.h>

#include "core_view.h"
#include "log.h"
#include "qmgr.h"

/* Short enough that what comes in meanwhile is little against spool_min_free.
 */
#define INTERVAL_US (200 * US_PER_MS)
/* A crash forgets at most so much use of quotas. */
#define QUOTAS_EVERY 25 /* intervals */
/* Inodes that must be free: segments, journal, large messages. */
#define INODES_MIN 100

static uint64_t
memory_used(const struct qmgr *q)
{
	return core_memory_bytes(q->core) + notes_memory(q->notes) +
	    jrn_pending(q->jrn);
}

static enum pressure
measure(const struct qmgr *q, const char **reason)
{
	struct statvfs v;

	if (!jrn_is_ok(q->jrn)) {
		*reason = "the journal cannot be written";
		return PRESSURE_DISK;
	}
	if (statvfs(".", &v) == 0) {
		if ((uint64_t)v.f_bavail * v.f_frsize <
		    q->conf->spool_min_free) {
			*reason = "insufficient disk space";
			return PRESSURE_DISK;
		}
		if (v.f_files != 0 && v.f_favail < INODES_MIN) {
			*reason = "insufficient inodes";
			return PRESSURE_DISK;
		}
	}
	if (memory_used(q) > q->conf->queue_memory_limit) {
		*reason = "the queue is at its limit";
		return PRESSURE_MEMORY;
	}
	*reason = "";
	return PRESSURE_NONE;
}

void
pressure_tell(struct qmgr *q, struct peer *p)
{
	struct ipc_pressure m = { .level = (uint8_t)q->pressure,
		.reason = str_of(q->pressure_reason) };

	(void)peer_send(p, IPC_pressure, 0, &m); /* down: tells it anew */
}

void
pressure_check(struct qmgr *q)
{
	const char *reason;
	enum pressure now = measure(q, &reason);
	struct ipc_pressure m = { .level = (uint8_t)now,
		.reason = str_of(reason) };

	if (now == q->pressure) {
		return;
	}
	q->pressure = now;
	q->pressure_reason = reason;
	if (now == PRESSURE_NONE) {
		log_info("new mail is accepted again");
	} else {
		log_warn("no new mail is accepted: %s", reason);
	}
	peers_tell(q, ROLE_SMTPD, IPC_pressure, &m);
}

static void
on_timer(void *arg)
{
	struct qmgr *q = arg;

	pressure_check(q);
	if (++q->pressure_ticks % QUOTAS_EVERY == 0) {
		tenants_write_quotas(q);
	}
	loop_timer_arm(q->pressure_timer, INTERVAL_US);
}

void
pressure_init(struct qmgr *q)
{
	q->pressure_reason = "";
	q->pressure_timer = loop_timer_new(on_timer, q);
	loop_timer_arm(q->pressure_timer, 0);
}

void
pressure_fini(struct qmgr *q)
{
	loop_timer_free(&q->pressure_timer);
}
