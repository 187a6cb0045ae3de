/*
 * account.add, list, show, why, set, pause, resume. (delete: deletion.c;
 * alerts: cmd_alert.c)
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "cmd_alert.h"
#include "commands.h"
#include "deletion.h"
#include "log.h"
#include "names.h"
#include "service.h"
#include "settings.h"
#include "standing.h"
#include "standing_show.h"

static json_t *
json_of(const struct account *a)
{
	const struct schema_account *r = &a->r;

	return json_pack(
	    "{s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:I, s:I, s:I, s:o, "
	    "s:o, s:o, s:o, s:o}",
	    "name", a->full_name, "id", (json_int_t)r->id, "status",
	    r->is_paused ? "paused" : "active", "notes", command_text(r->notes),
	    "contact", command_text(r->contact), "class",
	    command_text(r->class), "pool", command_text(r->pool), "pools",
	    command_text(r->pools), "weight", (int)r->weight, "quota",
	    (json_int_t)standing_quota(a, NULL), "connections",
	    (json_int_t)r->max_connections, "queue", (json_int_t)r->queue_limit,
	    "unsigned", command_text(r->unsigned_mail), "sender",
	    command_text(r->sender), "forward_bounces",
	    command_text(r->forward_bounces), "keep_content",
	    r->keep_content != 0 ? json_integer(r->keep_content - 1)
				 : json_null(),
	    "created", command_time(r->created_us));
}

/* Every pool that the account names must be one. */
static bool
pools_exist(struct tool *t, const struct schema_account *a)
{
	struct str rest = a->pools;
	struct str word = a->pool;
	char safe[80];

	do {
		word = str_trim(word);
		if (!str_is(word, POOL_DEFAULT) &&
		    !model_has_pool(accountd.model, word)) {
			tool_end(t, EX_DATAERR,
			    "no source address is in the pool %s: put one into "
			    "it first, with pbip",
			    str_safe(safe, sizeof(safe), word));
			return false;
		}
	} while (str_split(&rest, ',', &word));
	return true;
}

/* Takes in {"settings": {name: value}}. False: the tool has been told. */
static bool
apply_settings(struct tool *t, struct schema_account *a)
{
	json_t *settings = json_object_get(tool_args(t), "settings");
	const char *name;
	json_t *value;
	struct buf error = { 0 };
	char safe[80];

	json_object_foreach(settings, name, value)
	{
		const char *text = json_string_value(value);

		if (text == NULL ||
		    settings_set(a, str_of(name), str_of(text), &error) < 0) {
			tool_end(t, EX_DATAERR, "%s: %.*s",
			    str_safe(safe, sizeof(safe), str_of(name)),
			    STR_ARG(text == NULL ? STR("a text is needed")
						 : buf_str(&error)));
			buf_fini(&error);
			return false;
		}
		if (str_is(str_of(name), "pool") &&
		    str_is(a->pool, POOL_DEFAULT) && a->parent == 0) {
			a->pool = STR("");
		}
	}
	return (json_object_get(settings, "pool") == NULL &&
		   json_object_get(settings, "pools") == NULL) ||
	    pools_exist(t, a);
}

/* old: what it is now; NULL: it is new. Alerts come before the tool's answer,
 * so that this is not given without them. */
static void
store_account(
    struct tool *t, const struct account *old, const struct schema_account *a)
{
	struct change *c = change_begin(accountd.model);
	struct alert_before before = { 0 };
	struct schema_account new = *a;
	int r;

	if (old == NULL) {
		new.id = change_new_id(c);
	} else {
		alert_remember(old, &before);
	}
	r = change_put(c, SCHEMA_account, &new);
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		if (old != NULL) {
			alert_compare(
			    model_account(accountd.model, new.id), &before);
		}
		standing_judge(new.id);
		push_account(new.id);
		push_changed(a->parent != 0 ? a->parent : a->id);
		command_done(t, json_of(model_account(accountd.model, new.id)));
	}
	buf_fini(&before.contact);
}

/* The record of a new account, as far as it does not depend on its name. */
static bool
find_parent(struct tool *t, const struct name *n, struct schema_account *a)
{
	const struct account *parent;

	*a = (struct schema_account){
		.name = n->account,
		.created_us = clock_wall_us(),
		.unsigned_mail = str_of(conf()->unsigned_default),
		.weight = WEIGHT_DEFAULT,
		.class = STR("standard"),
		.sender = STR("return-path"),
	};
	if (n->sub.len == 0) {
		return true;
	}
	parent = model_account_named(accountd.model, n->account);
	if (parent == NULL) {
		tool_end(t, EX_NOUSER, "there is no account %.*s",
		    STR_ARG(n->account));
		return false;
	}
	*a = (struct schema_account){
		.parent = parent->r.id,
		.name = n->sub,
		.created_us = clock_wall_us(),
	};
	return true;
}

static void
account_add(struct tool *t)
{
	struct str text = str_of(tool_arg(t, "account"));
	struct schema_account a;
	struct name n;
	char safe[160];

	if (name_parse(text, &n) < 0) {
		tool_end(t, EX_DATAERR,
		    "\"%s\" is no account name: use a-z 0-9 . _ -, at most 63",
		    str_safe(safe, sizeof(safe), text));
		return;
	}
	if (model_account_named(accountd.model, text) != NULL) {
		tool_end(t, EX_CANTCREAT, "account %.*s exists", STR_ARG(text));
		return;
	}
	if (!find_parent(t, &n, &a) || !apply_settings(t, &a)) {
		return;
	}
	store_account(t, NULL, &a);
}

static int
by_name(const void *a, const void *b)
{
	const struct account *const *x = a;
	const struct account *const *y = b;

	return strcmp((*x)->full_name, (*y)->full_name);
}

static void
account_list(struct tool *t)
{
	const struct account **all = NULL;
	const struct account *a;
	size_t n = 0;
	size_t at = 0;

	while ((a = model_next_account(accountd.model, &at)) != NULL) {
		all = mem_resize(all, (n + 1) * sizeof(*all));
		all[n++] = a;
	}
	if (n > 0) {
		qsort(all, n, sizeof(*all), by_name);
	}
	for (size_t i = 0; i < n; i++) {
		tool_out(t, json_of(all[i]));
	}
	free(all);
	tool_end(t, EX_OK, NULL);
}

static void
account_show(struct tool *t)
{
	const struct account *a = command_account(t);

	json_t *line;

	if (a != NULL) {
		line = json_of(a);
		standing_add_json(a, line);
		tool_out(t, line);
		tool_end(t, EX_OK, NULL);
	}
}

static void
account_why(struct tool *t)
{
	const struct account *a = command_account(t);

	if (a != NULL) {
		standing_explain(t, a);
		tool_end(t, EX_OK, NULL);
	}
}

static void
account_set(struct tool *t)
{
	const struct account *a = command_account(t);
	struct schema_account new;

	if (a == NULL) {
		return;
	}
	new = a->r;
	if (apply_settings(t, &new)) {
		store_account(t, a, &new);
	}
}

static void
set_paused(struct tool *t, bool is_paused)
{
	const struct account *a = command_account(t);
	struct schema_account new;

	if (a != NULL) {
		log_info("account %s is %s", a->full_name,
		    is_paused ? "paused" : "resumed");
		new = a->r;
		new.is_paused = is_paused;
		store_account(t, a, &new);
	}
}

static void
account_pause(struct tool *t)
{
	set_paused(t, true);
}

static void
account_resume(struct tool *t)
{
	set_paused(t, false);
}

const struct command account_commands[] = {
	{ "account.add", account_add },
	{ "account.list", account_list },
	{ "account.show", account_show },
	{ "account.why", account_why },
	{ "account.alerts", account_alerts },
	{ "account.set", account_set },
	{ "account.pause", account_pause },
	{ "account.resume", account_resume },
	{ "account.delete", account_delete },
	{ 0 },
};
