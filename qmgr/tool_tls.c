/*
 * pbtls: what is known about TLS at sites, and the administrator's word.
 */
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "qmgr.h"
#include "tls_learn.h"
#include "tool.h"

static json_t *
text(struct str s)
{
	char safe[300];

	return json_string(str_safe(safe, sizeof(safe), s));
}

static void
put(struct qmgr *q, struct tool *t, const struct tls_site *s)
{
	struct tls_learn rule = tls_learn_rule(q);
	struct event_tls_site e;
	json_t *o = json_object();

	tls_learn_event(s, &e);
	json_object_set_new(o, "site", text(e.site));
	json_object_set_new(o, "state", text(e.state));
	json_object_set_new(o, "successes", json_integer(s->successes));
	json_object_set_new(
	    o, "successes_needed", json_integer(rule.successes));
	json_object_set_new(o, "days", json_integer(s->days));
	json_object_set_new(o, "days_needed", json_integer(rule.days));
	json_object_set_new(o, "sources", json_integer(s->n_sources));
	json_object_set_new(o, "sources_needed", json_integer(rule.sources));
	json_object_set_new(
	    o, "first", json_integer((json_int_t)(s->first_us / US_PER_S)));
	json_object_set_new(
	    o, "learned", json_integer((json_int_t)(s->learned_us / US_PER_S)));
	json_object_set_new(o, "violations", json_integer(s->violations));
	json_object_set_new(o, "violated",
	    json_integer((json_int_t)(s->violated_us / US_PER_S)));
	json_object_set_new(o, "waits", json_boolean(s->is_violated));
	tool_out(t, o);
}

/* Those that are required; with "all" the others too. */
static void
list(struct qmgr *q, struct tool *t)
{
	bool is_all = json_is_true(json_object_get(tool_args(t), "all"));
	const struct tls_site *s;
	size_t at = 0;

	while ((s = tls_sites_next(q->tls_sites, &at)) != NULL) {
		if (is_all || s->state != TLS_SITE_EVIDENCE) {
			put(q, t, s);
		}
	}
	tool_end(t, EX_OK, NULL);
}

static void
why(struct qmgr *q, struct tool *t, struct str name)
{
	const struct tls_site *s;
	unsigned n = 0;
	size_t at = 0;

	while ((s = tls_sites_next(q->tls_sites, &at)) != NULL) {
		if (tls_site_has(s, name)) {
			put(q, t, s);
			n++;
		}
	}
	if (n == 0 && json_is_true(json_object_get(tool_args(t), "quiet"))) {
		tool_end(t, EX_NOHOST, NULL); /* resolvd has known something */
	} else if (n == 0) {
		tool_end(t, EX_NOHOST, "%.*s: nothing is known of its TLS",
		    STR_ARG(name));
	} else {
		tool_end(t, EX_OK, NULL);
	}
}

static void
pin(struct qmgr *q, struct tool *t, struct str name)
{
	tls_sites_pin(q->tls_sites, name, qmgr_now(q));
	tls_learn_write(q, name, "pinned by an administrator");
	log_info("tls: site %.*s is pinned: TLS is required", STR_ARG(name));
	put(q, t, tls_sites_find(q->tls_sites, name));
	tool_end(t, EX_OK, NULL);
}

static void
pardon(struct qmgr *q, struct tool *t, struct str name)
{
	if (!tls_sites_is_required(q->tls_sites, name)) {
		tool_end(t, EX_NOHOST, "%.*s: TLS is not required there",
		    STR_ARG(name));
		return;
	}
	tls_sites_pardon(q->tls_sites, name);
	tls_learn_write(q, name, "pardoned by an administrator");
	log_info("tls: site %.*s is pardoned: it learns anew", STR_ARG(name));
	put(q, t, tls_sites_find(q->tls_sites, name));
	tool_end(t, EX_OK, NULL);
}

void
tool_tls(struct qmgr *q, struct tool *t)
{
	const char *command = tool_command(t);
	char name[256];

	str_copy(name, sizeof(name), str_of(tool_arg(t, "site")));
	if (strcmp(command, "tls.list") == 0) {
		list(q, t);
	} else if (name[0] == '\0' || strlen(tool_arg(t, "site")) > 255) {
		tool_end(t, EX_USAGE, "which site?");
	} else if (strcmp(command, "tls.why") == 0) {
		why(q, t, str_of(name));
	} else if (strcmp(command, "tls.pin") == 0) {
		pin(q, t, str_of(name));
	} else if (strcmp(command, "tls.pardon") == 0) {
		pardon(q, t, str_of(name));
	} else {
		tool_end(t, EX_USAGE, "qmgr knows no such command");
	}
}
