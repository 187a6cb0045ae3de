/*
 * pbqueue sites: destinations with what waits for them and why; pbcat's
 * question where a message is now.
 */
#include <errno.h>
#include <sysexits.h>

#include "core_limits.h"
#include "core_name.h"
#include "qmgr.h"
#include "reports.h"
#include "sources.h"
#include "tools.h"

static const char *const path_states[] = {
	[CORE_PATH_OPEN] = "open",
	[CORE_PATH_FULL] = "full",
	[CORE_PATH_LIMITED] = "limited",
	[CORE_PATH_DEAD] = "dead",
	[CORE_PATH_PROBING] = "probing",
	[CORE_PATH_SUSPENDED] = "suspended",
};

static const char *const domain_states[] = {
	[CORE_DOMAIN_UNKNOWN] = "unknown",
	[CORE_DOMAIN_ASKING] = "asking",
	[CORE_DOMAIN_LATER] = "no answer",
	[CORE_DOMAIN_KNOWN] = "known",
	[CORE_DOMAIN_FAILED] = "failed",
};

static const char *const levels[] = {
	[CORE_LEVEL_SITE] = "site",
	[CORE_LEVEL_PROVIDER] = "provider",
	[CORE_LEVEL_SOURCE] = "source",
	[CORE_LEVEL_ACCOUNT] = "account",
	[CORE_LEVEL_SUBACCOUNT] = "subaccount",
};

static const char *const stops[] = {
	[CORE_STOP_NONE] = "others are before it",
	[CORE_STOP_PAUSED] = "suspended",
	[CORE_STOP_SHUT] = "the source address is not in use",
	[CORE_STOP_CONNECTIONS] = "connections",
	[CORE_STOP_CONNECTION_RATE] = "connection_rate",
	[CORE_STOP_MESSAGES] = "messages",
	[CORE_STOP_RECIPIENTS] = "recipients",
	[CORE_STOP_CEILING] = "the day's ceiling of its warm-up",
};

static json_t *
name(struct str s)
{
	char safe[300];

	return json_string(str_safe(safe, sizeof(safe), s));
}

json_t *
tool_path_json(struct qmgr *q, const struct core_path_view *v)
{
	json_t *o = json_object();

	json_object_set_new(o, "site", name(core_site_name(q->core, v->site)));
	if (v->provider != CORE_NONE) {
		json_object_set_new(o, "provider",
		    name(core_provider_name(q->core, v->provider)));
	}
	json_object_set_new(o, "source", name(sources_ip(q, v->source)));
	json_object_set_new(o, "state", json_string(path_states[v->state]));
	json_object_set_new(o, "queued", json_integer(v->queued));
	json_object_set_new(o, "running", json_integer(v->inflight));
	json_object_set_new(o, "connections", json_real(v->window));
	json_object_set_new(o, "open", json_integer(v->conns));
	json_object_set_new(o, "busy", json_integer(v->busy));
	if (v->until_us != 0 && v->until_us != UINT64_MAX) {
		json_object_set_new(o, "until",
		    json_integer((json_int_t)(v->until_us / US_PER_S)));
	}
	if (v->state == CORE_PATH_LIMITED) {
		json_object_set_new(o, "limited_by",
		    json_pack("{s:s,s:s,s:b}", "of", levels[v->blocked_by],
			"what", stops[v->stop], "from_source",
			v->is_blocked_from));
	} else if (v->is_tenant_blocked) {
		json_object_set_new(o, "limited_by",
		    json_pack("{s:s,s:s,s:b}", "of", "account", "what",
			"its quota or limits", "from_source", 0));
	}
	json_object_set_new(o, "failures", json_integer(v->failures));
	tool_shape_path(q, o, v);
	return o;
}

/* Domains whose site is not known: their mail waits for resolvd. */
static void
put_domain(struct qmgr *q, struct tool *t, const struct core_domain_view *v)
{
	json_t *o = json_object();

	json_object_set_new(
	    o, "domain", name(core_domain_name(q->core, v->domain)));
	json_object_set_new(o, "state", json_string(domain_states[v->state]));
	json_object_set_new(o, "queued", json_integer(v->rcpts));
	if (v->until_us != 0 && v->until_us != UINT64_MAX) {
		json_object_set_new(o, "until",
		    json_integer((json_int_t)(v->until_us / US_PER_S)));
	}
	tool_out(t, o);
}

void
tool_sites(struct qmgr *q, struct tool *t)
{
	struct core_path_view p;
	struct core_domain_view d;
	uint32_t at = 0;
	int r;

	while (core_path_next(q->core, &at, &p)) {
		tool_out(t, tool_path_json(q, &p));
	}
	at = 0;
	while ((r = core_domain_next(q->core, &at, &d)) != 0) {
		if (r == 1 && d.rcpts != 0 && d.state != CORE_DOMAIN_KNOWN) {
			put_domain(q, t, &d);
		}
	}
	tool_shape_rest(q, t);
	tool_end(t, EX_OK, NULL);
}

static void
put_place(struct tool *t, const struct core_place *p, uint64_t big)
{
	char path[SEG_PATH_SIZE];
	json_t *o = json_object();

	seg_path(p->segid, path);
	json_object_set_new(o, "segment", json_string(path));
	json_object_set_new(o, "offset", json_integer(p->rec_off));
	json_object_set_new(o, "content_offset", json_integer(p->content_off));
	if (big != 0) {
		big_path(big, path);
		json_object_set_new(o, "file", json_string(path));
	}
	tool_out(t, o);
	tool_end(t, EX_OK, NULL);
}

static bool
find_report(struct qmgr *q, const struct uuid *id, struct report_view *v)
{
	size_t at = 0;

	while (reports_next(q, &at, v)) {
		if (uuid_eq(&v->msgid, id)) {
			return true;
		}
	}
	return false;
}

void
tool_where(struct qmgr *q, struct tool *t)
{
	const char *text = tool_arg(t, "id");
	struct report_view v;
	struct core_message m;
	struct uuid id;
	uint32_t msg;
	uint32_t n;

	if (uuid_parse(str_of(text), &id) < 0) {
		tool_end(t, EX_DATAERR, "%s: not a message id", text);
		return;
	}
	msg = core_find(q->core, &id);
	if (msg != CORE_NONE && core_message_get(q->core, msg, &m, &n) == 0) {
		put_place(t, &m.place, notes_big(q->notes, msg));
	} else if (find_report(q, &id, &v)) {
		put_place(t, &v.place, v.big_file);
	} else {
		tool_end(t, EX_NOINPUT, "%s: not in the queue", text);
	}
}
