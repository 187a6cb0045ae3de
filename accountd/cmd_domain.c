/*
 * domain.list, show, verify. (add: domain_add.c; delete: deletion.c; rotate,
 * set: rotating.c)
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "deletion.h"
#include "domain.h"
#include "domain_add.h"
#include "plan.h"
#include "rotating.h"

/* ---- output ----------------------------------------------------------------
 */

static json_t *
json_of_records(const struct schema_domain *d)
{
	struct record records[RECORDS_MAX];
	size_t n = records_of(d, &accountd.site, records);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct record *r = &records[i];

		(void)json_array_append_new(list,
		    json_pack("{s:o, s:s, s:o, s:s, s:b, s:s, s:o}", "name",
			command_text(buf_str(&r->name)), "type", r->type,
			"value", command_text(buf_str(&r->value)), "purpose",
			r->purpose, "required", (int)r->is_required, "status",
			records_status(r->status), "reason",
			command_text(r->reason)));
	}
	records_fini(records, n);
	return list;
}

/* null: only by hand. */
static json_t *
json_of_span(uint64_t us)
{
	return us == 0 ? json_null()
		       : json_integer((json_int_t)(us / US_PER_S));
}

static void
add_rotation(json_t *line, const struct schema_domain *d)
{
	const struct rotation_times times = rotating_times();

	(void)json_object_set_new(
	    line, "rotation", json_string(rotation_name(d->rotation)));
	(void)json_object_set_new(
	    line, "rotation_since", command_time(d->rotation_us));
	(void)json_object_set_new(
	    line, "rotation_due", command_time(rotation_due(d, &times)));
	(void)json_object_set_new(line, "keys_since",
	    command_time(d->rotated_us != 0 ? d->rotated_us : d->created_us));
	(void)json_object_set_new(
	    line, "rotate_after", json_of_span(rotation_after(d, &times)));
}

json_t *
domain_json(const struct domain *d)
{
	const struct schema_domain *r = &d->r;
	json_t *line = json_pack(
	    "{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "account",
	    command_name(r->account, 0), "domain", command_text(r->name),
	    "state", records_state(r->state), "status", records_state(r->state),
	    "created", command_time(r->created_us), "checked",
	    command_time(r->checked_us), "verified",
	    command_time(r->verified_us), "failing",
	    command_time(r->failing_us), "records", json_of_records(r));

	add_rotation(line, r);
	return line;
}

/* ---- arguments -------------------------------------------------------------
 */

bool
domain_name_arg(struct tool *t, char *name, size_t size)
{
	struct str text = str_of(tool_arg(t, "domain"));
	char safe[128];

	if (domain_to_ascii(text.p, text.len, 0, name, size) < 0 ||
	    strchr(name, '.') == NULL) {
		tool_end(t, EX_DATAERR, "\"%s\" is no domain name",
		    str_safe(safe, sizeof(safe), text));
		return false;
	}
	return true;
}

const struct domain *
domain_arg(struct tool *t)
{
	const struct account *a = command_main_account(t);
	const struct domain *d;
	char name[DOMAIN_NAME_MAX + 1];

	if (a == NULL || !domain_name_arg(t, name, sizeof(name))) {
		return NULL;
	}
	d = model_domain(accountd.model, a->r.id, str_of(name));
	if (d == NULL) {
		tool_end(
		    t, EX_NOUSER, "%s has no domain %s", a->full_name, name);
	}
	return d;
}

/* ---- domain.list, domain.show ----------------------------------------------
 */

static int
by_name(const void *a, const void *b)
{
	const struct domain *const *x = a;
	const struct domain *const *y = b;
	struct str m = (*x)->r.name;
	struct str n = (*y)->r.name;
	int r = memcmp(m.p, n.p, m.len < n.len ? m.len : n.len);

	return r != 0 ? r : (m.len > n.len) - (m.len < n.len);
}

static void
domain_list(struct tool *t)
{
	const struct account *a = NULL;
	const struct domain **all = NULL;
	const struct domain *d;
	size_t n = 0;
	size_t at = 0;

	if (tool_arg(t, "account")[0] != '\0') {
		a = command_main_account(t);
		if (a == NULL) {
			return;
		}
	}
	while ((d = model_next_domain(accountd.model, &at)) != NULL) {
		if (a == NULL || d->r.account == a->r.id) {
			all = mem_resize(all, (n + 1) * sizeof(*all));
			all[n++] = d;
		}
	}
	if (n > 0) {
		qsort(all, n, sizeof(*all), by_name);
	}
	for (size_t i = 0; i < n; i++) {
		tool_out(t, domain_json(all[i]));
	}
	free(all);
	tool_end(t, EX_OK, NULL);
}

static void
domain_show(struct tool *t)
{
	const struct domain *d = domain_arg(t);

	if (d != NULL) {
		tool_out(t, domain_json(d));
		tool_end(t, EX_OK, NULL);
	}
}

/* ---- domain.verify ---------------------------------------------------------
 */

struct verifying {
	struct tool *tool;
	uint32_t account;
	char name[DOMAIN_NAME_MAX + 1];
};

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	checks_forget(arg);
	free(arg);
}

static void
on_checked(void *arg, bool is_told)
{
	struct verifying *v = arg;
	struct tool *t = v->tool;
	const struct domain *d =
	    model_domain(accountd.model, v->account, str_of(v->name));

	tool_async(t, NULL, NULL, NULL);
	if (d == NULL) {
		tool_end(t, EX_NOUSER, "the domain was deleted meanwhile");
	} else if (!is_told) {
		tool_end(
		    t, EX_TEMPFAIL, "resolvd does not answer; try again later");
	} else if (d->r.state == DOMAIN_VERIFIED) {
		command_done(t, domain_json(d));
	} else {
		tool_out(t, domain_json(d));
		tool_end(t,
		    d->r.dkim1_status == CHECK_TEMPORARY ? EX_TEMPFAIL
							 : EX_DATAERR,
		    "%s is not verified: the DKIM record is %s", v->name,
		    records_status(d->r.dkim1_status));
	}
	free(v);
}

static void
domain_verify(struct tool *t)
{
	const struct domain *d = domain_arg(t);
	struct verifying *v;

	if (d == NULL) {
		return;
	}
	v = mem_alloc(sizeof(*v));
	v->tool = t;
	v->account = d->r.account;
	str_copy(v->name, sizeof(v->name), d->r.name);
	tool_async(t, on_gone, NULL, v);
	checks_run(d, on_checked, v);
}

const struct command domain_commands[] = {
	{ "domain.add", domain_add },
	{ "domain.list", domain_list },
	{ "domain.show", domain_show },
	{ "domain.verify", domain_verify },
	{ "domain.rotate", domain_rotate },
	{ "domain.set", domain_set },
	{ "domain.delete", domain_delete },
	{ 0 },
};
