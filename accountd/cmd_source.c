/*
 * source.add, list, show, set, delete, check.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "domain.h"
#include "names.h"
#include "plan.h"
#include "service.h"
#include "settings.h"
#include "sources.h"

/* ---- output ----------------------------------------------------------------
 */

static json_t *
json_of_day(uint32_t day)
{
	json_t *time = command_time((uint64_t)day * 86400 * US_PER_S);
	json_t *date = json_stringn(json_string_value(time), 10);

	json_decref(time);
	return date;
}

static json_t *
json_of_today(const struct schema_source *s)
{
	struct buf counts = { 0 };
	const struct warmup_count *c;
	json_t *list = json_array();

	warm_counts_of(accountd.warm, s->ip, sources_today(), &counts);
	c = (const void *)counts.p;
	for (size_t i = 0; i < counts.len / sizeof(*c); i++) {
		(void)json_array_append_new(list,
		    json_pack("{s:o, s:I, s:I, s:I, s:I}", "provider",
			command_text(c[i].provider), "tried",
			(json_int_t)c[i].tried, "delivered",
			(json_int_t)c[i].delivered, "deferred",
			(json_int_t)c[i].deferred, "complaints",
			(json_int_t)c[i].complaints));
	}
	buf_fini(&counts);
	return list;
}

static json_t *
json_of_forecast(const struct warmup_plan *p, const struct warmup_day *d)
{
	json_t *list = json_array();

	for (uint32_t step = d->step; step <= p->n; step++) {
		(void)json_array_append_new(list,
		    json_pack("{s:I, s:o, s:I}", "day", (json_int_t)step,
			"date", json_of_day(d->step_day + step - d->step),
			"ceiling", (json_int_t)p->ceiling[step - 1]));
	}
	return list;
}

static json_t *
json_of_warmup(const struct schema_source *s, bool is_whole)
{
	struct warmup_plan plan;
	struct warmup_day day;
	json_t *o;

	if (s->plan.len == 0) {
		return json_null();
	}
	if (!sources_warmup(s, &plan, &day)) {
		return json_pack("{s:s, s:o}", "state", "warm", "since",
		    command_time(s->warm_us));
	}
	o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "state", "warming",
	    "day", (json_int_t)day.step, "days", (json_int_t)plan.n, "ceiling",
	    (json_int_t)warmup_ceiling(&plan, &day), "held",
	    (json_int_t)day.held, "verdict", command_text(s->verdict),
	    "warm_on", json_of_day(warmup_end(&plan, &day)));
	if (is_whole) {
		(void)json_object_set_new(o, "today", json_of_today(s));
		(void)json_object_set_new(
		    o, "forecast", json_of_forecast(&plan, &day));
	}
	return o;
}

static json_t *
json_of(const struct source *source, bool is_whole)
{
	const struct schema_source *s = &source->r;

	return json_pack(
	    "{s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "address", command_text(s->ip), "name", command_text(s->name),
	    "ehlo", command_text(s->ehlo.len > 0 ? s->ehlo : s->name), "pool",
	    command_text(s->pool.len > 0 ? s->pool : STR(POOL_DEFAULT)),
	    "state", source_state_name(s->state), "in_service",
	    (int)(s->state == SOURCE_GOOD), "reason", command_text(s->reason),
	    "created", command_time(s->created_us), "checked",
	    command_time(s->checked_us), "since", command_time(s->since_us),
	    "ready", command_time(source_ready_us(s, sources_rules())),
	    "warmup", json_of_warmup(s, is_whole));
}

/* ---- arguments -------------------------------------------------------------
 */

/* The argument "address" as its key; dst has 46 bytes. */
static bool
address_arg(struct tool *t, char *dst)
{
	struct str text = str_of(tool_arg(t, "address"));
	struct domain_ip ip;
	char safe[80];

	if (domain_ip_parse(text.p, text.len, &ip) < 0 ||
	    inet_ntop(ip.family, ip.addr, dst, 46) == NULL) {
		tool_end(t, EX_DATAERR, "\"%s\" is no IPv4 or IPv6 address",
		    str_safe(safe, sizeof(safe), text));
		return false;
	}
	return true;
}

static const struct source *
source_arg(struct tool *t)
{
	const struct source *s;
	char ip[46];

	if (!address_arg(t, ip)) {
		return NULL;
	}
	s = model_source(accountd.model, str_of(ip));
	if (s == NULL) {
		tool_end(t, EX_NOUSER, "there is no source address %s", ip);
	}
	return s;
}

/* A host name in lower case; name has DOMAIN_NAME_MAX + 1 bytes. */
static bool
take_name(struct tool *t, const char *text, char *name)
{
	char safe[128];

	if (domain_to_ascii(text, strlen(text), 0, name, DOMAIN_NAME_MAX + 1) <
		0 ||
	    strchr(name, '.') == NULL) {
		tool_end(t, EX_DATAERR, "\"%s\" is no host name",
		    str_safe(safe, sizeof(safe), str_of(text)));
		return false;
	}
	return true;
}

/* What settings name, until they are stored. */
struct wanted {
	struct schema_source *s;
	char name[DOMAIN_NAME_MAX + 1];
	char ehlo[DOMAIN_NAME_MAX + 1];
};

static bool
take_pool(struct tool *t, struct wanted *w, struct str value)
{
	if (str_is(value, POOL_DEFAULT)) {
		value = STR("");
	}
	if (value.len > 0 && !name_is_valid(value)) {
		tool_end(t, EX_DATAERR,
		    "pool: use a-z 0-9 . _ -, a letter or digit first, at "
		    "most 63");
		return false;
	}
	w->s->pool = value;
	return true;
}

static bool
take_warmup(struct tool *t, struct wanted *w, struct str value)
{
	struct warmup_plan plan;
	struct buf error = { 0 };
	bool is_good = true;

	w->s->plan = STR("");
	w->s->verdict = STR("");
	w->s->held = 0;
	w->s->warm_us = 0;
	if (str_is(value, "off")) {
		return true;
	}
	if (str_is(value, "on")) {
		value = str_of(conf()->source_warmup_plan);
	}
	if (warmup_parse(value, &plan, &error) < 0) {
		tool_end(t, EX_DATAERR, "warmup: on, off or a plan: %.*s",
		    STR_ARG(buf_str(&error)));
		is_good = false;
	}
	buf_fini(&error);
	w->s->plan = value;
	w->s->step = 1;
	w->s->step_day = sources_today();
	return is_good;
}

static bool
take_setting(
    struct tool *t, struct wanted *w, const char *name, const char *value)
{
	char safe[80];

	if (strcmp(name, "name") == 0) {
		if (!take_name(t, value, w->name)) {
			return false;
		}
		if (!str_is(w->s->name, w->name)) {
			source_rename(w->s, str_of(w->name), clock_wall_us());
		}
		return true;
	}
	if (strcmp(name, "ehlo") == 0) {
		w->s->ehlo = str_of(w->ehlo);
		if (value[0] != '\0' && !take_name(t, value, w->ehlo)) {
			return false;
		}
		w->s->ehlo = str_of(w->ehlo);
		return true;
	}
	if (strcmp(name, "pool") == 0) {
		return take_pool(t, w, str_of(value));
	}
	if (strcmp(name, "warmup") == 0) {
		return take_warmup(t, w, str_of(value));
	}
	tool_end(t, EX_DATAERR,
	    "%s: the settings are ehlo, name, pool and warmup",
	    str_safe(safe, sizeof(safe), str_of(name)));
	return false;
}

static bool
take_settings(struct tool *t, struct wanted *w)
{
	json_t *settings = json_object_get(tool_args(t), "settings");
	const char *name;
	json_t *value;

	json_object_foreach(settings, name, value)
	{
		const char *text = json_string_value(value);

		if (!take_setting(t, w, name, text != NULL ? text : "")) {
			return false;
		}
	}
	return true;
}

/* ---- changes ---------------------------------------------------------------
 */

/* The account that names the pool while no other address is in it; NULL: it
 * may go. */
static const struct account *
pool_user(const struct source *s)
{
	const struct source *other;
	const struct account *a;
	size_t at = 0;

	while ((other = model_next_source(accountd.model, &at)) != NULL) {
		if (other != s && str_eq(other->r.pool, s->r.pool)) {
			return NULL;
		}
	}
	at = 0;
	while (s->r.pool.len > 0 &&
	    (a = model_next_account(accountd.model, &at)) != NULL) {
		struct settings own = { .pools = a->r.pools,
			.pool = a->r.pool };

		if (settings_allow_pool(&own, s->r.pool)) {
			return a;
		}
	}
	return NULL;
}

static bool
may_leave_pool(struct tool *t, const struct source *s)
{
	const struct account *a = pool_user(s);

	if (a != NULL) {
		tool_end(t, EX_DATAERR,
		    "%.*s is the last address of the pool %.*s, which account "
		    "%s uses: change that first, with pbaccount",
		    STR_ARG(s->r.ip), STR_ARG(s->r.pool), a->full_name);
	}
	return a == NULL;
}

/* Stores it; qmgr hears of it, and resolvd is asked. */
static void
store(struct tool *t, const struct schema_source *new)
{
	struct change *c = change_begin(accountd.model);
	const struct source *s;
	char ip[47];
	int r = change_put(c, SCHEMA_source, new);

	str_copy(ip, sizeof(ip), new->ip);
	if (r < 0) {
		command_failed(t, &c, r);
		return;
	}
	if (!command_commit(t, &c)) {
		return;
	}
	s = model_source(accountd.model, str_of(ip));
	push_source(s);
	sources_changed();
	sources_check(s, NULL, NULL);
	s = model_source(accountd.model, str_of(ip));
	command_done(t, json_of(s, false));
}

static void
source_add(struct tool *t)
{
	char ip[46];
	char name[DOMAIN_NAME_MAX + 1];
	struct schema_source new = { .created_us = clock_wall_us(),
		.since_us = clock_wall_us(),
		.reason = STR("its records were not looked up yet") };
	struct wanted w = { .s = &new };
	const struct source *s;
	size_t at = 0;
	size_t n = 0;

	while ((s = model_next_source(accountd.model, &at)) != NULL) {
		n++;
	}
	if (!address_arg(t, ip) || !take_name(t, tool_arg(t, "name"), name)) {
		return;
	}
	if (model_source(accountd.model, str_of(ip)) != NULL) {
		tool_end(t, EX_CANTCREAT, "source address %s exists", ip);
		return;
	}
	if (n >= conf()->source_limit) {
		tool_end(t, EX_CANTCREAT,
		    "there are %zu source addresses: see source_limit", n);
		return;
	}
	new.ip = str_of(ip);
	new.name = str_of(name);
	if (take_settings(t, &w)) {
		store(t, &new);
	}
}

static void
source_set(struct tool *t)
{
	const struct source *s = source_arg(t);
	struct schema_source new;
	struct wanted w = { .s = &new };

	if (s == NULL) {
		return;
	}
	new = s->r;
	if (take_settings(t, &w) &&
	    (str_eq(new.pool, s->r.pool) || may_leave_pool(t, s))) {
		store(t, &new);
	}
}

static void
source_delete(struct tool *t)
{
	const struct source *s = source_arg(t);
	struct change *c;

	if (s == NULL || !may_leave_pool(t, s)) {
		return;
	}
	push_source_deleted(s);
	c = change_begin(accountd.model);
	change_del(c, SCHEMA_source, &s->r);
	if (command_commit(t, &c)) {
		sources_changed();
		command_done(t, NULL);
	}
}

/* ---- the others ------------------------------------------------------------
 */

/* By pool, then by address: IPv4 first, in the order of numbers. */
static int
by_pool(const void *a, const void *b)
{
	const struct source *const *x = a;
	const struct source *const *y = b;
	struct domain_ip m = { 0 };
	struct domain_ip n = { 0 };
	struct str p = (*x)->r.pool;
	struct str q = (*y)->r.pool;
	size_t len = p.len < q.len ? p.len : q.len;
	int r = len == 0 ? 0 : memcmp(p.p, q.p, len);

	if (r != 0 || p.len != q.len) {
		return r != 0 ? r : (p.len > q.len) - (p.len < q.len);
	}
	if (domain_ip_parse((*x)->r.ip.p, (*x)->r.ip.len, &m) < 0 ||
	    domain_ip_parse((*y)->r.ip.p, (*y)->r.ip.len, &n) < 0) {
		return 0; /* never: it was parsed when it was added */
	}
	if (m.family != n.family) {
		return m.family == AF_INET ? -1 : 1;
	}
	return memcmp(m.addr, n.addr, sizeof(m.addr));
}

static void
source_list(struct tool *t)
{
	const char *pool = tool_arg(t, "pool");
	const struct source **all = NULL;
	const struct source *s;
	size_t n = 0;
	size_t at = 0;

	while ((s = model_next_source(accountd.model, &at)) != NULL) {
		struct str own =
		    s->r.pool.len > 0 ? s->r.pool : STR(POOL_DEFAULT);

		if (pool[0] == '\0' || str_is(own, pool)) {
			all = mem_resize(all, (n + 1) * sizeof(*all));
			all[n++] = s;
		}
	}
	if (n > 0) {
		qsort(all, n, sizeof(*all), by_pool);
	}
	for (size_t i = 0; i < n; i++) {
		tool_out(t, json_of(all[i], false));
	}
	free(all);
	tool_end(t, EX_OK, NULL);
}

static void
source_show(struct tool *t)
{
	const struct source *s = source_arg(t);

	if (s != NULL) {
		tool_out(t, json_of(s, true));
		tool_end(t, EX_OK, NULL);
	}
}

struct checking {
	struct tool *tool;
	char ip[47];
};

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	sources_forget(arg);
	free(arg);
}

static void
on_checked(void *arg, bool is_told)
{
	struct checking *c = arg;
	struct tool *t = c->tool;
	const struct source *s = model_source(accountd.model, str_of(c->ip));
	char reason[300];

	tool_async(t, NULL, NULL, NULL);
	if (s == NULL) {
		tool_end(t, EX_NOUSER, "the address was deleted meanwhile");
	} else if (!is_told) {
		tool_end(
		    t, EX_TEMPFAIL, "resolvd does not answer; try again later");
	} else {
		tool_out(t, json_of(s, false));
		tool_end(t,
		    s->r.state == SOURCE_GOOD ? EX_OK
			: s->r.unknown_us != 0 || s->r.state == SOURCE_WAITING
			? EX_TEMPFAIL
			: EX_DATAERR,
		    "%s is not in service: %s", c->ip,
		    str_safe(reason, sizeof(reason), s->r.reason));
	}
	free(c);
}

static void
source_check(struct tool *t)
{
	const struct source *s = source_arg(t);
	struct checking *c;

	if (s == NULL) {
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->tool = t;
	str_copy(c->ip, sizeof(c->ip), s->r.ip);
	tool_async(t, on_gone, NULL, c);
	sources_check(s, on_checked, c);
}

const struct command source_commands[] = {
	{ "source.add", source_add },
	{ "source.list", source_list },
	{ "source.show", source_show },
	{ "source.set", source_set },
	{ "source.delete", source_delete },
	{ "source.check", source_check },
	{ 0 },
};
