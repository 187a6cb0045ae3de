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

void
alert_contact_changed(uint32_t account, struct str before)
{
	const struct account *a = model_account(accountd.model, account);
	struct alert_rules rules;
	struct buf text = { 0 };
	struct herald_alert alert = {
		.account = a, .name = STR("contact_changed"), .contact = before
	};

	if (a == NULL || str_eq(a->r.contact, before)) {
		return;
	}
	herald_rules(a, &rules);
	buf_printf(&text, "the contact of %s is %s%.*s now, and was %s%.*s",
	    a->full_name, a->r.contact.len == 0 ? "nobody" : "",
	    STR_ARG(a->r.contact), before.len == 0 ? "nobody" : "",
	    STR_ARG(before));
	alert.text = buf_str(&text);
	if (rules.limit[ALERT_SECURITY] != 0) {
		herald_raise(&alert);
	}
	buf_fini(&text);
}
