/*
 * hook.replay and hook.deadletter: what is to be sent once more. A tool has
 * its answer when a killed webhookd would do it too.
 */
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "commands.h"
#include "event_id.h"
#include "journal.h"
#include "journal_feed.h"
#include "progress.h"
#include "reading.h"
#include "time_parse.h"

/* ---- durable before the answer ------------------------------------------ */

struct promise {
	struct progress_wait wait;
	struct tool *tool;
	json_t *line;
};

static void
promise_gone(struct tool *t, void *arg)
{
	struct promise *p = arg;

	(void)t;
	progress_wait_cancel(&p->wait);
	json_decref(p->line);
	free(p);
}

static void
on_saved(void *arg, int status)
{
	struct promise *p = arg;
	struct tool *t = p->tool;

	if (status == 0) {
		tool_out(t, p->line);
	} else {
		json_decref(p->line);
	}
	free(p);
	if (status == 0) {
		tool_end(t, EX_OK, NULL);
	} else {
		tool_end(t, EX_TEMPFAIL,
		    "it is done, but a restart would undo it: the cursors "
		    "cannot be saved: %s; see the log",
		    strerror(-status));
	}
}

static void
answer_when_saved(struct tool *t, json_t *line)
{
	struct promise *p = mem_alloc(sizeof(*p));

	*p = (struct promise){
		.wait = { .fn = on_saved, .arg = p }, .tool = t, .line = line
	};
	tool_async(t, promise_gone, NULL, p);
	progress_wait(&p->wait);
}

/* ---- hook.replay -------------------------------------------------------- */

/* Whether the journal has the record, or had it and has what came after. */
static bool
is_in_journal(struct tool *t, uint64_t lsn)
{
	if (journal_feed_durable() == 0) {
		tool_end(t, EX_TEMPFAIL, "the journal is not known yet");
	} else if (lsn == 0 || lsn >= journal_feed_durable()) {
		tool_end(t, EX_DATAERR, "no such event is in the journal");
	} else if (journal_lsn_number(lsn) < journal_feed_oldest()) {
		tool_end(t, EX_DATAERR,
		    "this event is gone: event_retention_time or "
		    "event_retention_size removed it; try since=TIME");
	} else {
		return true;
	}
	return false;
}

/* TIME, EVENT_ID, since=TIME or id=EVENT_ID. Ends the command if neither. */
static bool
replay_from(struct tool *t, struct hook *h, const char *from)
{
	bool is_time = str_starts(str_of(from), "since=");
	bool is_id = str_starts(str_of(from), "id=");
	struct uuid id;
	uint64_t us;

	from += is_time ? 6 : is_id ? 3 : 0;
	if (!is_time && uuid_parse(str_of(from), &id) == 0) {
		if (!is_in_journal(t, event_id_lsn(&id))) {
			return false;
		}
		reading_replay_lsn(h, event_id_lsn(&id));
		return true;
	}
	if (!is_id && time_parse(from, clock_wall_us(), &us) == 0) {
		reading_replay_time(h, us);
		return true;
	}
	tool_end(t, EX_USAGE,
	    "since when (since=2h, since=2026-11-22T10:00), or from which "
	    "event on (id=EVENT_ID)?");
	return false;
}

void
command_replay(struct tool *t)
{
	struct hook *h = command_hook(t);

	if (h != NULL && replay_from(t, h, tool_arg(t, "since"))) {
		answer_when_saved(t, command_status(h));
	}
}

/* ---- hook.deadletter ---------------------------------------------------- */

static bool
is_gone(uint64_t lsn)
{
	return journal_lsn_number(lsn) < journal_feed_oldest();
}

static const char *
state_of(const struct dead_range *r)
{
	if (is_gone(r->last)) {
		return "gone";
	}
	if (r->asked_us != 0) {
		return "replaying";
	}
	return is_gone(r->first) ? "partly gone" : "kept";
}

static void
list(struct tool *t, const struct hook *h)
{
	for (size_t i = 0; i < h->dead.n; i++) {
		const struct dead_range *r = &h->dead.v[i];

		tool_out(t,
		    json_pack("{s:I, s:I, s:s, s:o, s:o, s:o}", "hook",
			(json_int_t)h->id, "events", (json_int_t)r->events,
			"state", state_of(r), "first",
			command_time(r->first_us), "last",
			command_time(r->last_us), "given_up",
			command_time(r->buried_us)));
	}
	tool_end(t, EX_OK, NULL);
}

static uint64_t
count_gone(const struct hook *h)
{
	uint64_t events = 0;

	for (size_t i = 0; i < h->dead.n; i++) {
		events += is_gone(h->dead.v[i].last) ? h->dead.v[i].events : 0;
	}
	return events;
}

static void
redo(struct tool *t, struct hook *h)
{
	uint64_t gone = count_gone(h);
	uint64_t all = dead_events(&h->dead);

	if (all == 0) {
		tool_end(t, EX_NOUSER, "it has no dead letters");
	} else if (gone == all) {
		tool_end(t, EX_UNAVAILABLE,
		    "its dead letters are gone: event_retention_time or "
		    "event_retention_size removed them from the journal; "
		    "pbhook deadletter delete forgets them");
	} else {
		(void)reading_redo(h);
		answer_when_saved(t,
		    json_pack("{s:I, s:I, s:I}", "hook", (json_int_t)h->id,
			"events", (json_int_t)(all - gone), "gone",
			(json_int_t)gone));
	}
}

static void
forget(struct tool *t, struct hook *h)
{
	uint64_t events = reading_forget_dead(h);

	answer_when_saved(t,
	    json_pack("{s:I, s:I, s:I}", "hook", (json_int_t)h->id, "events",
		(json_int_t)events, "gone", (json_int_t)0));
}

/* "verb": list, replay or delete. */
void
command_deadletter(struct tool *t)
{
	const char *verb = tool_arg(t, "verb");
	struct hook *h = command_hook(t);

	if (h == NULL) {
		return;
	}
	if (strcmp(verb, "list") == 0) {
		list(t, h);
	} else if (strcmp(verb, "replay") == 0) {
		redo(t, h);
	} else if (strcmp(verb, "delete") == 0) {
		forget(t, h);
	} else {
		tool_end(t, EX_USAGE, "deadletter list, replay or delete?");
	}
}
