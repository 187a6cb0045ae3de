#include "cmd_alert.h"

#include "commands.h"
#include "herald.h"

/* Whose word a limit is. */
static const char *
origin(const struct account *a, enum alert rule)
{
	const struct account *parent = a->r.parent != 0
	    ? model_account(accountd.model, a->r.parent)
	    : NULL;
	uint64_t limit;

	if (alert_own_limit(&a->r, rule, &limit)) {
		return a->full_name;
	}
	if (parent != NULL && alert_own_limit(&parent->r, rule, &limit)) {
		return parent->full_name;
	}
	return "default";
}

static const char *
state(const struct account *a, enum alert rule)
{
	const struct tallied *x = tallies_find(accountd.tallies, a->r.id);

	if (rule >= ALERTS_JUDGED) {
		return "told";
	}
	return x != NULL && (x->t.alerts_on >> rule & 1) != 0 ? "on" : "off";
}

void
account_alerts(struct tool *t)
{
	const struct account *a = command_account(t);
	struct alert_rules rules;

	if (a == NULL) {
		return;
	}
	herald_rules(a, &rules);
	for (unsigned i = 0; i < ALERTS; i++) {
		enum alert rule = (enum alert)i;
		struct buf limit = { 0 };

		alert_print_limit(rule, rules.limit[i], &limit);
		tool_out(t,
		    json_pack("{s:s, s:o, s:s, s:s}", "alert", alert_name(rule),
			"limit", command_text(buf_str(&limit)), "by",
			origin(a, rule), "state", state(a, rule)));
		buf_fini(&limit);
	}
	tool_out(
	    t, json_pack("{s:o}", "contact", command_text(herald_contact(a))));
	tool_end(t, EX_OK, NULL);
}

/* ---- who hears of what ---------------------------------------------------
 */

static bool
is_watched(const struct account *a)
{
	struct alert_rules rules;

	herald_rules(a, &rules);
	return rules.limit[ALERT_SECURITY] != 0;
}

void
alert_remember(const struct account *a, struct alert_before *before)
{
	struct str contact = herald_contact(a);

	*before = (struct alert_before){ .is_watched = is_watched(a) };
	buf_add(&before->contact, contact.p, contact.len);
}

static struct str
or_nobody(struct str contact)
{
	return contact.len > 0 ? contact : STR("nobody");
}

/* Both contacts hear of it: whoever put himself in the place of the one
 * before cannot keep that from him. */
static void
raise_to_both(struct herald_alert *alert, struct str before, struct str now)
{
	alert->contact = before.len > 0 ? before : now;
	herald_add(alert, false);
	if (before.len > 0 && now.len > 0 && !str_eq(before, now)) {
		alert->contact = now;
		alert->is_copy = true;
		herald_add(alert, false);
	}
	herald_write();
}

void
alert_compare(const struct account *a, const struct alert_before *before)
{
	struct str old = buf_str(&before->contact);
	struct str now = herald_contact(a);
	bool is_other = !str_eq(old, now);
	bool is_off = before->is_watched && !is_watched(a);
	struct buf text = { 0 };
	struct herald_alert alert = { .account = a,
		.name =
		    is_other ? STR("contact_changed") : STR("security_off") };

	if (is_other) {
		buf_printf(&text, "the contact of %s is %.*s now, and was %.*s",
		    a->full_name, STR_ARG(or_nobody(now)),
		    STR_ARG(or_nobody(old)));
	}
	if (is_off) {
		buf_printf(&text,
		    "%sthe alerts about the keys and the contact of %s are "
		    "off",
		    is_other ? "; " : "", a->full_name);
	}
	alert.text = buf_str(&text);
	/* What turns the alert off is told itself. */
	if (text.len > 0 && (before->is_watched || is_watched(a))) {
		raise_to_both(&alert, old, now);
	}
	buf_fini(&text);
}
