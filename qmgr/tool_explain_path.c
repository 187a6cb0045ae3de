#include "tool_explain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_view.h"
#include "explain.h"
#include "paths.h"
#include "qmgr.h"
#include "shape.h"
#include "sources.h"
#include "tls_learn.h"
#include "tools.h"

#define DAY_US (86400 * US_PER_S)
#define BY_SIZE 512

/* ---- limits and effects --------------------------------------------------
 */

static void
append_section(
    const struct shape *s, const struct shaping_section *n, struct buf *by)
{
	static const char *const kinds[] = {
		[SHAPING_DEFAULT] = "default",
		[SHAPING_PROVIDER] = "provider",
		[SHAPING_SITE] = "site",
		[SHAPING_DOMAIN] = "domain",
		[SHAPING_BACKOFF] = "backoff",
	};

	if (n != NULL) {
		buf_printf(by, "%s%s:%u %s%s%s", by->len != 0 ? ", " : "",
		    shape_conf(s)->path, n->line, kinds[n->kind],
		    n->name[0] != '\0' ? " " : "", n->name);
	}
}

static void
put_limits(struct qmgr *q, struct tool *t, json_t *o, struct str site)
{
	const struct shape *s = paths_shape(q);
	const char *own = json_string_value(json_object_get(o, "limits"));
	const char *all =
	    json_string_value(json_object_get(o, "provider_limits"));
	struct buf by = { 0 };

	append_section(s, shape_conf(s)->sections[0], &by);
	append_section(s, shape_provider_section(s, site), &by);
	append_section(s, shape_site_section(s, site), &by);
	buf_u8(&by, 0);
	explain_put(t,
	    &(struct explain){ .decision = "limits",
		.by = (const char *)by.p,
		.details =
		    json_pack("{s:s, s:s}", "site", own != NULL ? own : "",
			"provider", all != NULL ? all : "") },
	    "site: %s; provider: %s", own != NULL ? own : "none",
	    all != NULL ? all : "none");
	buf_fini(&by);
}

static void
time_text(const json_t *effect, const char *name, char *dst, size_t size)
{
	time_t s = (time_t)json_integer_value(json_object_get(effect, name));
	struct tm tm;

	dst[0] = '\0';
	if (s != 0 && gmtime_r(&s, &tm) != NULL) {
		(void)strftime(dst, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
}

static const char *
text_of(const json_t *effect, const char *name)
{
	const char *s = json_string_value(json_object_get(effect, name));

	return s != NULL ? s : "";
}

static bool
is_suspended(const json_t *effect)
{
	return strcmp(text_of(effect, "effect"), "suspended") == 0;
}

static void
put_effect(struct tool *t, json_t *e)
{
	bool is_all = json_object_get(e, "source") == NULL;
	const char *reply = text_of(e, "reply");
	const char *set = text_of(e, "set");
	const char *limits = text_of(e, "limits");
	const char *at = text_of(e, "site");
	char until[32];
	json_t *details = json_deep_copy(e);

	time_text(e, "until", until, sizeof(until));
	(void)json_object_del(details, "by");
	explain_put(t,
	    &(struct explain){ .decision = "shaping",
		.outcome =
		    is_all && is_suspended(e) ? EXPLAIN_WAIT : EXPLAIN_GO,
		.by = text_of(e, "by"),
		.details = details },
	    "%s%s%s is %s%s%s%s%s, %s%s%s%s",
	    at[0] != '\0' ? at : text_of(e, "provider"), is_all ? "" : " from ",
	    text_of(e, "source"), text_of(e, "effect"),
	    set[0] != '\0' ? " " : "", set, limits[0] != '\0' ? " to " : "",
	    limits, until[0] != '\0' ? "until " : "until it is resumed", until,
	    reply[0] != '\0' ? ", after: " : "", reply);
}

/* All that shaping says of a path that may not be there. */
static json_t *
shaping_of(struct qmgr *q, uint32_t site, uint32_t provider, uint32_t source)
{
	const struct core_path_view v = {
		.site = site, .provider = provider, .source = source
	};
	json_t *o = json_object();

	tool_shape_path(q, o, &v);
	return o;
}

void
explain_limits(struct qmgr *q, struct tool *t, uint32_t site, uint32_t provider)
{
	json_t *o = shaping_of(q, site, provider, sources_default(q));
	json_t *e;
	size_t i;

	put_limits(q, t, o, core_site_name(q->core, site));
	json_array_foreach(json_object_get(o, "effects"), i, e)
	{
		if (json_object_get(e, "source") == NULL) {
			put_effect(t, e);
		}
	}
	json_decref(o);
}

/* ---- sources -------------------------------------------------------------
 */

struct way {
	uint32_t source;
	bool is_waiting;
	bool has_path;
	struct core_path_view path;
	uint32_t ceiling; /* 0: none */
	uint32_t used;
	json_t *shaping;
};

static void
find_path(struct qmgr *q, uint32_t site, struct way *w)
{
	uint32_t at = 0;

	while (!w->has_path && core_path_next(q->core, &at, &w->path)) {
		w->has_path =
		    w->path.site == site && w->path.source == w->source;
	}
}

static void
find_ceiling(struct qmgr *q, uint32_t site, uint32_t provider, struct way *w)
{
	struct str name = provider != CORE_NONE
	    ? core_provider_name(q->core, provider)
	    : core_site_name(q->core, site);
	uint64_t key = core_provider_key(name);
	uint32_t today = (uint32_t)(qmgr_now(q) / DAY_US);
	struct core_warm c;
	uint32_t address;
	uint32_t at = 0;

	w->ceiling = sources_ceiling(q, w->source, &address);
	while (w->ceiling != 0 && core_warm_next(q->core, false, &at, &c)) {
		if (c.address == address && c.provider == key &&
		    c.day == today) {
			w->used = c.used;
		}
	}
}

static bool
is_held_back(const struct way *w)
{
	json_t *e;
	size_t i;

	if (w->ceiling != 0 && w->used >= w->ceiling) {
		return true;
	}
	json_array_foreach(json_object_get(w->shaping, "effects"), i, e)
	{
		if (is_suspended(e)) {
			return true;
		}
	}
	return w->has_path &&
	    (w->path.state == CORE_PATH_DEAD ||
		w->path.state == CORE_PATH_SUSPENDED ||
		(w->path.state == CORE_PATH_LIMITED &&
		    w->path.stop != CORE_STOP_NONE));
}

static void
put_way(struct qmgr *q, struct tool *t, const struct way *w, bool is_any)
{
	struct str ip = sources_ip(q, w->source);
	struct str name = sources_name(q, w->source);
	json_t *path =
	    w->has_path ? tool_path_json(q, &w->path) : json_object();
	char warm[80] = "";
	json_t *limit = json_object_get(path, "limited_by");
	char where[256] = "";

	if (w->ceiling != 0) {
		(void)snprintf(warm, sizeof(warm),
		    ", in its warm-up: %u of %u recipients today", w->used,
		    w->ceiling);
	}
	if (w->has_path) {
		(void)snprintf(where, sizeof(where),
		    ", path %s with %u jobs, %u connections open of %u "
		    "allowed%s%s%s%s",
		    text_of(path, "state"), w->path.inflight, w->path.conns,
		    (unsigned)w->path.window, limit != NULL ? ", held by " : "",
		    limit != NULL ? text_of(limit, "what") : "",
		    limit != NULL ? " of its " : "",
		    limit != NULL ? text_of(limit, "of") : "");
	} else {
		(void)snprintf(where, sizeof(where), ", no path yet");
	}
	explain_put(t,
	    &(struct explain){ .decision = "source",
		.outcome = is_any || !w->is_waiting ? EXPLAIN_GO : EXPLAIN_WAIT,
		.by = ip.len != 0 ? "pbip, inet_interfaces_out"
				  : "no source address: the system's choice",
		.details = json_pack("{s:s%, s:s%, s:b, s:o}", "address",
		    ip.len != 0 ? ip.p : "", ip.len, "name",
		    name.len != 0 ? name.p : q->conf->myhostname,
		    name.len != 0 ? name.len : strlen(q->conf->myhostname),
		    "waits", w->is_waiting, "path", path) },
	    "%.*s as %.*s%s%s", STR_ARG(ip.len != 0 ? ip : STR("any address")),
	    STR_ARG(name.len != 0 ? name : str_of(q->conf->myhostname)), where,
	    warm);
}

static void
put_own_effects(struct tool *t, const struct way *w)
{
	json_t *e;
	size_t i;

	json_array_foreach(json_object_get(w->shaping, "effects"), i, e)
	{
		if (json_object_get(e, "source") != NULL) {
			put_effect(t, e);
		}
	}
}

static void
put_nobody(struct tool *t, struct buf *reason)
{
	buf_u8(reason, 0);
	explain_put(t,
	    &(struct explain){ .decision = "source",
		.outcome = EXPLAIN_WAIT,
		.by = "pbip; source_pool_fallback" },
	    "%s", (const char *)reason->p);
}

void
explain_paths(struct qmgr *q, struct tool *t, uint32_t pool, uint32_t site,
    uint32_t provider, json_t *sources)
{
	struct way *all = NULL;
	struct buf reason = { 0 };
	bool is_any = false;
	uint32_t n = 0;
	uint32_t at = 0;
	struct way w;

	for (w = (struct way){ 0 }; sources_next(q, pool, &at, &w.source);
	     w = (struct way){ 0 }) {
		if (sources_is_nobody(q, w.source, &reason)) {
			put_nobody(t, &reason);
			continue;
		}
		find_path(q, site, &w);
		find_ceiling(q, site, provider, &w);
		w.shaping = shaping_of(q, site, provider, w.source);
		w.is_waiting = is_held_back(&w);
		is_any = is_any || !w.is_waiting;
		all = mem_resize(all, (n + 1) * sizeof(*all));
		all[n++] = w;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct str ip = sources_ip(q, all[i].source);

		put_way(q, t, &all[i], is_any);
		put_own_effects(t, &all[i]);
		(void)json_array_append_new(
		    sources, json_stringn(ip.len != 0 ? ip.p : "", ip.len));
		json_decref(all[i].shaping);
	}
	free(all);
	buf_fini(&reason);
}

/* ---- proof of TLS --------------------------------------------------------
 */

void
explain_proof(struct qmgr *q, struct tool *t, struct str site)
{
	const struct tls_site *s = tls_sites_find(q->tls_sites, site);
	struct tls_learn rule = tls_learn_rule(q);
	bool is_required = tls_learn_word(q, site).len != 0;

	if (s == NULL) {
		explain_put(t,
		    &(struct explain){ .decision = "tls-proof",
			.by = "smtp_tls_learn",
			.details =
			    json_pack("{s:b}", "required", (int)is_required) },
		    "%s",
		    is_required ? "a server of the site is one of a learned "
				  "site: TLS is required"
				: "nothing is known of the site's TLS");
		return;
	}
	explain_put(t,
	    &(struct explain){ .decision = "tls-proof",
		.by = s->state == TLS_SITE_PINNED
		    ? "pbtls pin"
		    : "smtp_tls_learn_successes, _days, _sources",
		.details = json_pack("{s:b, s:I, s:I, s:I, s:I}", "required",
		    (int)is_required, "successes", (json_int_t)s->successes,
		    "days", (json_int_t)s->days, "sources",
		    (json_int_t)s->n_sources, "violations",
		    (json_int_t)s->violations) },
	    "%s; %u of %u deliveries, %u of %u days, %u of %u sources%s",
	    s->state == TLS_SITE_PINNED	       ? "pinned: TLS is required"
		: s->state == TLS_SITE_LEARNED ? "learned: TLS is required"
					       : "not proven yet",
	    s->successes, rule.successes, s->days, rule.days, s->n_sources,
	    rule.sources,
	    s->is_violated ? "; TLS fails there now: mail waits" : "");
}
