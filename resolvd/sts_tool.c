/*
 * pbtls: which MTA-STS policies are known, and the evidence.
 */
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "service.h"
#include "sts.h"
#include "tool.h"

static void
put_policy(json_t *o, const struct sts_entry *e)
{
	json_t *mx = json_array();
	struct str rest = buf_str(&e->known.policy.mx);
	struct str pattern;

	while (str_split(&rest, ',', &pattern)) {
		json_array_append_new(mx, json_stringn(pattern.p, pattern.len));
	}
	json_object_set_new(
	    o, "mode", json_string(sts_mode_name(e->known.policy.mode)));
	json_object_set_new(o, "id", json_string(e->known.id));
	json_object_set_new(o, "mx", mx);
	json_object_set_new(
	    o, "max_age", json_integer((json_int_t)e->known.policy.max_age_s));
	json_object_set_new(
	    o, "fetched", json_integer((json_int_t)e->known.fetched_s));
	json_object_set_new(
	    o, "expires", json_integer((json_int_t)sts_entry_expires_s(e)));
	json_object_set_new(o, "valid", json_boolean(sts_entry_is_valid(e)));
}

static void
put_failure(json_t *o, const struct sts_entry *e)
{
	const struct sts_failure *f = e->failure;

	json_object_set_new(o, "error", json_string(f->error));
	json_object_set_new(o, "error_id", json_string(f->id));
	json_object_set_new(o, "failed", json_integer((json_int_t)f->tried_s));
	json_object_set_new(o, "failures", json_integer((json_int_t)f->n));
	json_object_set_new(
	    o, "retry", json_integer((json_int_t)sts_entry_retry_s(e)));
}

static void
put(struct tool *t, const struct sts_entry *e)
{
	json_t *o = json_object();

	json_object_set_new(o, "domain", json_string(e->known.domain));
	if (e->has_policy) {
		put_policy(o, e);
	}
	if (e->failure != NULL) {
		put_failure(o, e);
	}
	tool_out(t, o);
}

/* Those that ask for something; with "all" whatever is known. */
static void
list(struct tool *t)
{
	bool is_all = json_is_true(json_object_get(tool_args(t), "all"));
	struct sts_entry *e;
	size_t at = 0;

	while ((e = sts_cache_next(&at)) != NULL) {
		if (is_all ||
		    (sts_entry_is_valid(e) &&
			e->known.policy.mode != STS_NONE)) {
			put(t, e);
		}
	}
	tool_end(t, EX_OK, NULL);
}

static void
show(struct tool *t, const char *domain)
{
	const struct sts_entry *e = sts_cache_find(domain);

	if (e == NULL) {
		tool_end(t, EX_NOHOST, NULL); /* qmgr may know the name */
	} else {
		put(t, e);
		tool_end(t, EX_OK, NULL);
	}
}

/* A refresh under way. */
struct refresh {
	struct sts sts;
	struct tool *tool;
	TAILQ_ENTRY(refresh) link;
};

static TAILQ_HEAD(, refresh) refreshes = TAILQ_HEAD_INITIALIZER(refreshes);

static void
refresh_free(struct refresh *r)
{
	TAILQ_REMOVE(&refreshes, r, link);
	sts_end(&r->sts);
	free(r);
}

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	refresh_free(arg);
}

static void
on_done(void *arg)
{
	struct refresh *r = arg;
	const struct sts_entry *e = sts_cache_find(r->sts.domain);
	struct tool *t = r->tool;

	if (e == NULL) {
		tool_end(t, EX_NOHOST,
		    "%s: no valid MTA-STS record at _mta-sts.%s", r->sts.domain,
		    r->sts.domain);
	} else if (e->failure != NULL) {
		put(t, e);
		tool_end(t, EX_TEMPFAIL, "%s: policy not fetched: %s",
		    r->sts.domain, e->failure->error);
	} else {
		put(t, e);
		tool_end(t, EX_OK, NULL);
	}
	refresh_free(r);
}

static void
refresh(struct tool *t, const char *domain)
{
	struct refresh *r;

	if (!conf()->smtp_mta_sts) {
		tool_end(t, EX_CONFIG, "smtp_mta_sts is no");
		return;
	}
	r = mem_alloc(sizeof(*r));
	r->tool = t;
	TAILQ_INSERT_TAIL(&refreshes, r, link);
	tool_async(t, on_gone, NULL, r);
	sts_refresh(&r->sts, domain, on_done, r);
}

void
sts_tools_stop(void)
{
	struct refresh *r;

	while ((r = TAILQ_FIRST(&refreshes)) != NULL) {
		refresh_free(r);
	}
}

void
sts_tool(struct tool *t)
{
	const char *command = tool_command(t);
	const char *given = tool_arg(t, "domain");
	char domain[DOMAIN_NAME_MAX + 1];

	if (strcmp(command, "sts.list") == 0) {
		list(t);
	} else if (domain_to_ascii(given, strlen(given), DOMAIN_UNDERSCORE,
		       domain, sizeof(domain)) < 0) {
		/* a site of several hosts is no mistake */
		if (strcmp(command, "sts.show") == 0) {
			tool_end(t, EX_NOHOST, NULL);
		} else {
			tool_end(t, EX_USAGE, "not a domain name");
		}
	} else if (strcmp(command, "sts.show") == 0) {
		show(t, domain);
	} else if (strcmp(command, "sts.refresh") == 0) {
		refresh(t, domain);
	} else {
		tool_end(t, EX_USAGE, "resolvd has no such command");
	}
}
