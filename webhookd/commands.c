#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "hook.h"
#include "journal_feed.h"
#include "json_put.h"
#include "lookup.h"
#include "payload.h"
#include "post.h"
#include "sender.h"
#include "service.h"
#include "tail.h"
#include "webhookd.h"

/* ---- which endpoint ----------------------------------------------------- */

struct search {
	const char *account; /* "": any */
	const char *hook;    /* its number or URL */
	uint64_t id;
	struct hook *found;
	unsigned n;
};

/* NAME or NAME/SUB; hooks of subaccounts have their account's name. */
static bool
is_account(const struct hook *h, const char *name)
{
	size_t n = strcspn(h->name, "/");

	return name[0] == '\0' ||
	    (strncmp(h->name, name, n) == 0 &&
		(name[n] == '\0' || name[n] == '/'));
}

static void
match(struct hook *h, void *arg)
{
	struct search *s = arg;

	if (is_account(h, s->account) &&
	    (strcmp(h->url_text, s->hook) == 0 || h->id == s->id)) {
		s->found = h;
		s->n++;
	}
}

struct hook *
command_hook(struct tool *t)
{
	const json_t *number = json_object_get(tool_args(t), "hook");
	struct search s = { .account = tool_arg(t, "account"),
		.hook = tool_arg(t, "hook") };

	if (json_is_integer(number)) {
		s.id = (uint64_t)json_integer_value(number);
	} else if (str_u64(str_of(s.hook), UINT32_MAX, &s.id) < 0) {
		s.id = 0;
	}
	hooks_each(match, &s);
	if (s.n == 1) {
		return s.found;
	}
	if (s.n == 0) {
		tool_end(t, EX_NOUSER, "there is no such hook");
	} else {
		tool_end(t, EX_USAGE, "several hooks have this URL");
	}
	return NULL;
}

/* ---- hook.status -------------------------------------------------------- */

json_t *
command_time(uint64_t us)
{
	char text[JSON_TIME_SIZE];

	if (us == 0) {
		return json_null();
	}
	json_time(us, text);
	return json_string(text);
}

static const char *
state_text(const struct hook *h)
{
	if (h->url_error != NULL) {
		return "refused";
	}
	if (h->is_disabled) {
		return "disabled";
	}
	return h->failures != 0 ? "failing" : "ok";
}

json_t *
command_status(const struct hook *h)
{
	struct journal_place place = hook_place(h, tail_place());

	return json_pack("{s:I,s:s,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,"
			 "s:I,s:I,s:s,s:o,s:o}",
	    "hook", (json_int_t)h->id, "account", h->name, "url", h->url_text,
	    "state", state_text(h), "live", (int)h->is_live, "lsn",
	    (json_int_t)place.after, "durable",
	    (json_int_t)journal_feed_durable(), "waiting",
	    (json_int_t)h->ring.n, "failures", (json_int_t)h->failures, "sent",
	    (json_int_t)h->sent, "requests", (json_int_t)h->posts, "failed",
	    (json_int_t)h->failed, "dead", (json_int_t)dead_events(&h->dead),
	    "gaps", (json_int_t)h->gaps, "last_error", h->last_error,
	    "failing_since", command_time(h->failing_us), "last_success",
	    command_time(h->last_ok_us));
}

static void
status_one(struct hook *h, void *arg)
{
	struct tool *t = arg;
	json_t *line;

	if (!is_account(h, tool_arg(t, "account"))) {
		return;
	}
	line = command_status(h);
	if (line != NULL) {
		tool_out(t, line);
	}
}

static void
status(struct tool *t)
{
	hooks_each(status_one, t);
	tool_end(t, EX_OK, NULL);
}

/* ---- hook.test ---------------------------------------------------------- */

/* A request apart from the endpoint's events, for one administrator. */
struct trial {
	struct tool *tool;
	uint32_t hook;
	uint64_t started_us;
	struct post *post;
	struct trial *next; /* that wait for an address */
};

static struct trial *waiting;

static void
trial_gone(struct tool *t, void *arg)
{
	struct trial *trial = arg;

	(void)t;
	post_cancel(&trial->post);
	for (struct trial **at = &waiting; *at != NULL; at = &(*at)->next) {
		if (*at == trial) {
			*at = trial->next;
			break;
		}
	}
	free(trial);
}

static void
trial_end(struct trial *trial, int http, const char *error)
{
	uint64_t ms = (clock_mono_us() - trial->started_us) / US_PER_MS;
	bool is_good = http >= 200 && http < 300;
	struct tool *t = trial->tool;
	char safe[256];

	free(trial);
	tool_out(t,
	    json_pack("{s:i,s:I,s:b}", "status", http, "ms", (json_int_t)ms,
		"ok", (int)is_good));
	if (is_good) {
		tool_end(t, EX_OK, NULL);
	} else if (error != NULL) {
		tool_end(t, EX_UNAVAILABLE, "%s",
		    str_safe(safe, sizeof(safe), str_of(error)));
	} else {
		tool_end(t, EX_UNAVAILABLE, "the endpoint answered %d", http);
	}
}

static void
trial_result(void *arg, const struct post_result *r)
{
	struct trial *trial = arg;

	trial->post = NULL;
	trial_end(trial, r->status, r->error);
}

/* One that every receiver understands: nothing happened to no message. */
static void
trial_payload(const struct hook *h, struct payload *p)
{
	struct event_delivery event = { .time_us = clock_wall_us(),
		.msgid = uuid_random(),
		.account = h->account,
		.attempt = 1,
		.rcpt_to = STR("test@example.com"),
		.smtp_code = 250,
		.smtp_enh = STR("2.0.0"),
		.smtp_text = STR("250 2.0.0 this is a test of your webhook") };
	struct event_accepted acc = { .time_us = event.time_us,
		.account_name = str_of(h->name),
		.class = CLASS_STANDARD,
		.flags = MESSAGE_TEST,
		.subject = STR("Test") };
	const struct event_view view = { EVENT_delivery, &event, &acc, 0 };

	payload_single(h, &view, p);
}

static void
trial_post(struct trial *trial, struct hook *h)
{
	struct payload p = { 0 };
	const char *fields[array_len(p.fields) + 1] = { NULL };
	struct post_request r = { .url = h->url.text,
		.resolve = h->url.is_literal ? NULL : h->resolve,
		.fields = fields,
		.fn = trial_result,
		.arg = trial };

	trial_payload(h, &p);
	if (payload_sign(h, &p, clock_wall_us() / US_PER_S) < 0) {
		trial_end(trial, 0, "the request could not be signed");
	} else {
		for (size_t i = 0; i < p.n_fields; i++) {
			fields[i] = (const char *)p.fields[i].p;
		}
		r.type = p.type;
		r.body = &p.body;
		trial->post = post_start(&r);
	}
	payload_fini(&p);
}

static void
trial_lookup(uint32_t id, const char *error)
{
	struct hook *h = hooks_find(id);
	struct trial **at = &waiting;

	while (*at != NULL) {
		struct trial *trial = *at;

		if (trial->hook != id) {
			at = &trial->next;
			continue;
		}
		*at = trial->next;
		if (error != NULL || h == NULL) {
			trial_end(trial, 0, error);
		} else {
			trial_post(trial, h);
		}
	}
}

static void
test(struct tool *t)
{
	struct hook *h = command_hook(t);
	struct trial *trial;
	int r;

	if (h == NULL) {
		return;
	}
	if (h->url_error != NULL) {
		tool_end(t, EX_USAGE, "the url is refused: %s", h->url_error);
		return;
	}
	trial = mem_alloc(sizeof(*trial));
	*trial = (struct trial){
		.tool = t, .hook = h->id, .started_us = clock_mono_us()
	};
	tool_async(t, trial_gone, NULL, trial);
	r = lookup(h, trial_lookup);
	if (r == 1) {
		trial_post(trial, h);
	} else if (r == 0) {
		trial->next = waiting;
		waiting = trial;
	} else {
		trial_end(trial, 0,
		    "its address is not public (webhook_allow_networks), or "
		    "resolvd is down");
	}
}

void
webhookd_tool(struct tool *t)
{
	static const struct {
		const char *name;
		void (*fn)(struct tool *t);
	} commands[] = { { "hook.status", status }, { "hook.test", test },
		{ "hook.replay", command_replay },
		{ "hook.deadletter", command_deadletter } };

	for (size_t i = 0; i < array_len(commands); i++) {
		if (strcmp(tool_command(t), commands[i].name) == 0) {
			commands[i].fn(t);
			return;
		}
	}
	tool_end(t, EX_USAGE, "webhookd has no such command");
}
