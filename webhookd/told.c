#include "told.h"

#include <stdio.h>

#include "clock.h"
#include "event.h"
#include "log.h"
#include "service.h"

void
told_attempt(const struct hook *h, const char *status, const char *text)
{
	uint64_t ms = (clock_mono_us() - h->started_us) / US_PER_MS;

	/* Not the path: tenants put passwords there. */
	log_info("hook %u: account=%s, relay=%s:%u, events=%zu, "
		 "delay=%llu.%02llu, status=%s (%s)",
	    (unsigned)h->id, h->name, h->url.host, h->url.port, h->batch_events,
	    (unsigned long long)(ms / 1000),
	    (unsigned long long)(ms % 1000 / 10), status, text);
}

void
told_disabled(const struct hook *h)
{
	const struct ipc_hook_state m = { .hook = h->id,
		.is_disabled = 1,
		.reason = str_of(h->disabled_for) };
	struct peer *accountd = service_peer(ROLE_ACCOUNTD, 0);

	if (accountd != NULL) {
		(void)peer_send(accountd, IPC_hook_state, 0, &m);
	}
}

static void
alert(const struct hook *h, const char *name, const char *text)
{
	const struct event_alert event = { .time_us = clock_wall_us(),
		.account = h->account,
		.subaccount = h->subaccount,
		.name = str_of(name),
		.text = str_of(text) };
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	struct ipc_event_write m = { .kind = EVENT_alert };
	struct buf rec = { 0 };

	if (qmgr != NULL && event_encode(&rec, EVENT_alert, &event) == 0) {
		m.record = buf_str(&rec);
		(void)peer_send(qmgr, IPC_event_write, 0, &m);
	}
	buf_fini(&rec);
}

void
told_gap(struct hook *h, uint64_t from_lsn, uint64_t to_lsn)
{
	char text[200];

	h->gaps++;
	(void)snprintf(text, sizeof(text),
	    "webhook %u: events between %llx and %llx were removed by "
	    "event_retention before it took them",
	    (unsigned)h->id, (unsigned long long)from_lsn,
	    (unsigned long long)to_lsn);
	log_warn("%s", text);
	alert(h, "webhook_gap", text);
}

void
told_disabled_alert(const struct hook *h)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "webhook %u is disabled: %s",
	    (unsigned)h->id, h->disabled_for);
	log_warn("hook %u: account=%s: disabled: %s", (unsigned)h->id, h->name,
	    h->disabled_for);
	alert(h, "webhook_disabled", text);
}

void
told_dead(struct hook *h, size_t events)
{
	char text[200];

	if (h->buried == 0) {
		(void)snprintf(text, sizeof(text),
		    "webhook %u: events are older than "
		    "webhook_retry_lifetime and are dead letters now",
		    (unsigned)h->id);
		alert(h, "webhook_dead_letters", text);
	}
	h->buried += events;
	log_warn("hook %u: account=%s: %zu events are dead letters, %llu in "
		 "all; last error: %s",
	    (unsigned)h->id, h->name, events,
	    (unsigned long long)dead_events(&h->dead), h->last_error);
}

void
told_forgotten(const struct hook *h, uint64_t events)
{
	log_warn("hook %u: account=%s: %llu dead letters are forgotten, see "
		 "webhook_dead_letter_limit",
	    (unsigned)h->id, h->name, (unsigned long long)events);
}
