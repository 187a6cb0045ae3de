/*
 * How much new mail there is room for. smtpd is told when that changes;
 * deliveries go on, they make room.
 */
#include <stdio.h>
#include <sys/statvfs.h>

#include "core_limits.h"
#include "core_view.h"
#include "log.h"
#include "qmgr.h"
#include "source_used.h"
#include "tenants.h"

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

/* Once reached, the limit is kept until a part is free again. */
static bool
is_memory_short(const struct qmgr *q)
{
	uint64_t limit = q->conf->queue_memory_limit;

	if (q->pressure == PRESSURE_MEMORY) {
		limit -= limit / 20;
	}
	return memory_used(q) > limit;
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
	if (is_memory_short(q)) {
		*reason = "the queue is at its limit";
		return PRESSURE_MEMORY;
	}
	*reason = "";
	return PRESSURE_NONE;
}

static struct ipc_tenant_pressure
about(const struct qmgr *q, const struct core_tenant_view *v)
{
	return (struct ipc_tenant_pressure){
		.account = v->account,
		.subaccount = v->subaccount,
		.is_full = v->is_full,
		.name = str_of(tenants_name(q, v->account, v->subaccount)),
	};
}

void
pressure_tell(struct qmgr *q, struct peer *p)
{
	struct ipc_pressure m = { .level = (uint8_t)q->pressure,
		.reason = str_of(q->pressure_reason) };
	struct core_tenant_view v;
	uint32_t at = 0;

	(void)peer_send(p, IPC_pressure, 0, &m); /* down: tells it anew */
	while (core_tenant_next(q->core, &at, &v)) {
		struct ipc_tenant_pressure t = about(q, &v);

		if (v.is_full) {
			(void)peer_send(p, IPC_tenant_pressure, 0, &t);
		}
	}
}

/* The tenant hears of it too. */
static void
write_alert(struct qmgr *q, const struct core_tenant_view *v)
{
	char text[128];
	struct event_alert e = {
		.time_us = qmgr_now(q),
		.account = v->account,
		.subaccount = v->subaccount,
		.name = STR("queue"),
		.is_over = !v->is_full,
	};
	int n = snprintf(text, sizeof(text),
	    v->is_full ? "%u recipients are queued, the limit is %u: new mail "
			 "is refused"
		       : "%u recipients are queued, the limit is %u: new mail "
			 "is accepted again",
	    v->queued, v->queue_limit);

	e.text = (struct str){ text, (size_t)n };
	qmgr_write(q, EVENT_alert, &e, NULL, 0, 0);
}

void
pressure_tenants(struct qmgr *q)
{
	struct core_tenant_view v;

	while (core_tenant_crossed(q->core, &v)) {
		struct ipc_tenant_pressure t = about(q, &v);

		if (v.is_full) {
			log_warn("account %s: no new mail is accepted, %u "
				 "recipients are queued",
			    t.name.p, v.queued);
		} else {
			log_info(
			    "account %s: new mail is accepted again", t.name.p);
		}
		write_alert(q, &v);
		peers_tell(q, ROLE_SMTPD, IPC_tenant_pressure, &t);
	}
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
		source_used_write(q);
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
