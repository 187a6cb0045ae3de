#include "refusals.h"

#include <stdio.h>

#include "clock.h"
#include "event.h"
#include "service.h"
#include "tls.h"
#include "tx.h"

#define MINUTE_US (60 * US_PER_S)

static struct {
	uint64_t since_us; /* of this minute, monotonic */
	uint64_t n;	   /* written in it */
	uint32_t omitted;  /* since the last one that was written */
} refusals;

/* May one more of this client be written? */
static bool
has_room(struct client *c)
{
	uint64_t now = clock_mono_us();

	if (now - refusals.since_us >= MINUTE_US) {
		refusals.since_us = now;
		refusals.n = 0;
	}
	if (refusals.n >= conf()->submission_log_limit ||
	    !client_note_refusal(c)) {
		return false;
	}
	refusals.n++;
	return true;
}

static uint32_t
call_ms(const struct session *s)
{
	uint64_t since = s->tx != NULL && s->tx->ended_us != 0 ? s->tx->ended_us
							       : s->command_us;

	return (uint32_t)((clock_mono_us() - since) / US_PER_MS);
}

static uint16_t
code_of(const char *text)
{
	uint64_t code = 0;

	return str_u64((struct str){ text, 3 }, 999, &code) == 0
	    ? (uint16_t)code
	    : 0;
}

static void
write_event(struct peer *qmgr, const struct event_refused *e)
{
	struct ipc_event_write m = { .kind = EVENT_refused };
	struct buf rec = { 0 };

	if (event_encode(&rec, EVENT_refused, e) == 0) {
		m.record = buf_str(&rec);
		/* When it cannot be told it is counted like one too many. */
		refusals.omitted = peer_send(qmgr, IPC_event_write, 0, &m) < 0
		    ? refusals.omitted + 1
		    : 0;
	}
	buf_fini(&rec);
}

void
refusals_note(
    const struct session *s, const char *what, const char *text, const char *to)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	char tls[81];
	char id[UUID_TEXT_SIZE];
	struct event_refused e = {
		.time_us = clock_wall_us(),
		.account = s->account.account,
		.subaccount = s->account.subaccount,
		.key = s->account.key,
		.account_name = str_of(s->account.name),
		.method = STR("smtp/send"),
		.stage = str_of(what),
		.smtp_code = code_of(text),
		.smtp_text = str_of(text),
		.submit_proto = str_of(session_protocol(s, false)),
		.submit_client_ip = str_of(s->ip),
		.submit_client_port = s->port,
		.submit_helo = str_of(s->helo),
		.submit_auth_user = str_of(s->auth_user),
		.submit_call_ms = call_ms(s),
	};

	if (s->role == PORT_MX) {
		return;
	}
	if (qmgr == NULL || !has_room(s->client)) {
		refusals.omitted++;
		return;
	}
	if (s->tx != NULL) {
		e.sender = str_of(s->tx->sender);
		e.nrcpt = s->tx->nrcpt;
	}
	if (to != NULL) {
		e.rcpt_to = str_of(to);
	}
	tls_describe(s, tls, sizeof(tls));
	e.submit_tls = str_of(tls);
	uuid_print(&s->id, id);
	e.session_id = str_of(id);
	e.omitted = refusals.omitted;
	write_event(qmgr, &e);
}
