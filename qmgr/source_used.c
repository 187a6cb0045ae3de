#include "source_used.h"

#include "core_limits.h"
#include "qmgr.h"
#include "sources.h"

#define DAY_US (86400 * US_PER_S)

static void
make_event(const struct qmgr *q, const struct core_warm *w,
    struct event_source_used *e)
{
	*e = (struct event_source_used){
		.ip = sources_address_ip(q, w->address),
		.provider = w->provider,
		.day = w->day,
		.used = w->used,
	};
}

void
source_used_write(struct qmgr *q)
{
	struct core_warm w;
	uint32_t at = 0;

	while (core_warm_next(q->core, true, &at, &w)) {
		struct event_source_used e;

		make_event(q, &w, &e);
		qmgr_write(q, EVENT_source_used, &e, NULL, 0, 0);
	}
}

void
source_used_each(struct qmgr *q,
    void (*put)(struct qmgr *q, enum event_type type, const void *event))
{
	struct event_source_used e = { 0 };
	struct core_warm w;
	uint32_t at = 0;

	while (sources_next_warming(q, &at, &e.ip)) {
		put(q, EVENT_source_used, &e);
	}
	at = 0;
	while (core_warm_next(q->core, false, &at, &w)) {
		make_event(q, &w, &e);
		put(q, EVENT_source_used, &e);
	}
}

void
source_used_restore(struct qmgr *q, const struct event_source_used *e)
{
	const struct core_warm w = {
		.address = sources_make_warming(q, e->ip),
		.provider = e->provider,
		.day = e->day,
		.used = e->used,
	};

	if (e->provider != 0) {
		core_warm_set(q->core, &w);
	}
}

static void
count(struct qmgr *q, uint64_t time_us, struct str ip, struct str provider,
    struct str site)
{
	uint32_t address = sources_warming(q, ip);

	if (address != CORE_NONE) {
		core_warm_add(q->core, address,
		    core_provider_key(provider.len > 0 ? provider : site),
		    (uint32_t)(time_us / DAY_US));
	}
}

void
source_used_late(struct qmgr *q, const struct ipc_result *r)
{
	count(q, qmgr_now(q), r->source_ip, r->provider, r->mx_site);
}

#define COUNT(q, e)                                                            \
	count((q), (e)->time_us, (e)->source_ip, (e)->provider, (e)->mx_site)

void
source_used_replay(struct qmgr *q, unsigned type, struct str rec)
{
	uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	const void *e = space;
	bool is_attempt = type == EVENT_delivery || type == EVENT_deferral ||
	    type == EVENT_bounce || type == EVENT_soft_bounce;
	uint32_t at = 0;
	struct str ip;

	if (!is_attempt || !sources_next_warming(q, &at, &ip) ||
	    event_decode(type, rec.p, rec.len, space) < 0) {
		return;
	}
	if (type == EVENT_delivery) {
		COUNT(q, (const struct event_delivery *)e);
	} else if (type == EVENT_deferral) {
		COUNT(q, (const struct event_deferral *)e);
	} else if (type == EVENT_bounce) {
		COUNT(q, (const struct event_bounce *)e);
	} else {
		COUNT(q, (const struct event_soft_bounce *)e);
	}
}
