/*
 * key.add, set, list, show, revoke.
 */
#include <string.h>

#include "apikey.h"
#include "clock.h"
#include "commands.h"
#include "herald.h"
#include "key_draft.h"
#include "log.h"
#include "names.h"

static const char *
status_of(const struct schema_key *k)
{
	if (k->revoked_us != 0) {
		return "revoked";
	}
	return k->expires_us != 0 && k->expires_us <= clock_wall_us()
	    ? "expired"
	    : "active";
}

static json_t *
json_of(const struct key *k)
{
	const struct schema_key *r = &k->r;

	return json_pack(
	    "{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "id",
	    (json_int_t)r->id, "account",
	    command_name(r->account, r->subaccount), "status", status_of(r),
	    "label", command_text(r->label), "networks",
	    command_text(r->networks), "methods", command_text(r->methods),
	    "from", command_text(r->from), "test", (int)r->is_test, "created",
	    command_time(r->created_us), "expires", command_time(r->expires_us),
	    "revoked", command_time(r->revoked_us));
}

/* The key that "id" names, of the account if one is named. */
static const struct key *
find_key(struct tool *t)
{
	const struct key *k =
	    model_key(accountd.model, command_number(t, "id"));
	const struct account *owner;
	uint32_t account;
	uint32_t sub;
	char safe[64];

	if (k != NULL && tool_arg(t, "account")[0] != '\0') {
		owner = command_account(t);
		if (owner == NULL) {
			return NULL;
		}
		command_ids(owner, &account, &sub);
		if (k->r.account != account ||
		    (sub != 0 && k->r.subaccount != sub)) {
			k = NULL;
		}
	}
	if (k == NULL) {
		tool_end(t, EX_NOUSER, "there is no key %s",
		    str_safe(safe, sizeof(safe), str_of(tool_arg(t, "id"))));
	}
	return k;
}

/* ---- key.add, key.set ------------------------------------------------------
 */

/* "account" may be NAME/SUB, or "subaccount" names it. */
static const struct account *
find_owner(struct tool *t)
{
	const struct account *a = command_account(t);
	struct str sub = str_of(tool_arg(t, "subaccount"));
	struct buf name = { 0 };
	char safe[160];

	if (a == NULL || sub.len == 0) {
		return a;
	}
	buf_printf(&name, "%s/%.*s", a->full_name, STR_ARG(sub));
	a = model_account_named(accountd.model, buf_str(&name));
	if (a == NULL) {
		tool_end(t, EX_NOUSER, "there is no account %s",
		    str_safe(safe, sizeof(safe), buf_str(&name)));
	}
	buf_fini(&name);
	return a;
}

/* A key's number, and its label if it has one. */
static void
put_key(struct buf *out, const struct schema_key *k)
{
	buf_printf(out, "%u", k->id);
	if (k->label.len > 0) {
		buf_printf(out, " (%.*s)", STR_ARG(k->label));
	}
}

static void
tell(const struct account *a, const char *name, const struct schema_key *k,
    const char *what, struct str more)
{
	struct buf text = { 0 };

	put_key(&text, k);
	herald_tell(ALERT_SECURITY, a, name, false, "key %.*s of %s was %s%.*s",
	    STR_ARG(buf_str(&text)), a->full_name, what, STR_ARG(more));
	buf_fini(&text);
}

static void
store_key(struct tool *t, const struct account *owner, struct key_draft *d)
{
	struct change *c = change_begin(accountd.model);
	struct apikey key;
	int r;

	d->r.id = change_new_id(c);
	command_ids(owner, &d->r.account, &d->r.subaccount);
	r = apikey_make(d->r.id, d->r.is_test, &key);
	d->r.salt = (struct str){ (char *)key.salt, sizeof(key.salt) };
	d->r.hash = (struct str){ (char *)key.hash, sizeof(key.hash) };
	if (r == 0) {
		r = change_put(c, SCHEMA_key, &d->r);
	}
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		log_info("key %u of %s is made", d->r.id, owner->full_name);
		tell(owner, "key_made", &d->r, "made", STR(""));
		command_done(t,
		    json_pack("{s:s, s:s, s:I}", "username", owner->full_name,
			"password", key.text, "id", (json_int_t)d->r.id));
	}
	explicit_bzero(&key, sizeof(key));
}

static void
key_add(struct tool *t)
{
	const struct account *owner = find_owner(t);
	struct key_draft d = { 0 };

	if (owner != NULL && key_draft_take(t, &d)) {
		d.r.is_test =
		    json_is_true(json_object_get(tool_args(t), "test"));
		d.r.created_us = clock_wall_us();
		store_key(t, owner, &d);
	}
	key_draft_fini(&d);
}

/* Whose alerts tell of the key; NULL: it is being deleted. */
static const struct account *
account_of(const struct key *k)
{
	return model_account(accountd.model,
	    k->r.subaccount != 0 ? k->r.subaccount : k->r.account);
}

/* Sessions that another client or method began go on with the next login;
 * the other limits are looked at with each message. */
static void
store_changed(struct tool *t, const struct key *k, const struct schema_key *new)
{
	struct change *c = change_begin(accountd.model);
	bool ends_sessions = !str_eq(k->r.networks, new->networks) ||
	    !str_eq(k->r.methods, new->methods);
	struct buf text = { 0 };
	int r;

	key_draft_print(&k->r, new, &text);
	r = change_put(c, SCHEMA_key, new);
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		k = model_key(accountd.model, new->id);
		log_info("key %u is changed", new->id);
		if (text.len > 0 && account_of(k) != NULL) {
			tell(account_of(k), "key_changed", &k->r,
			    "changed: ", buf_str(&text));
		}
		if (ends_sessions) {
			push_key(&k->r);
		}
		command_done(t, json_of(k));
	}
	buf_fini(&text);
}

static void
key_set(struct tool *t)
{
	const struct key *k = find_key(t);
	struct key_draft d = { 0 };

	if (k == NULL) {
		return;
	}
	if (k->r.revoked_us != 0) {
		tool_end(t, EX_DATAERR,
		    "key %u is revoked, and stays so: make another one",
		    k->r.id);
		return;
	}
	d.r = k->r;
	if (key_draft_take(t, &d)) {
		store_changed(t, k, &d.r);
	}
	key_draft_fini(&d);
}

/* ---- key.list, key.show ----------------------------------------------------
 */

static int
by_id(const void *a, const void *b)
{
	const struct key *const *x = a;
	const struct key *const *y = b;

	return ((*x)->r.id > (*y)->r.id) - ((*x)->r.id < (*y)->r.id);
}

/* The keys of the account (0: all) and subaccount (0: any), by number; the
 * caller frees. */
static const struct key **
find_keys(uint32_t account, uint32_t sub, size_t *n)
{
	const struct key **all = NULL;
	const struct key *k = NULL;
	size_t at = 0;

	*n = 0;
	while (
	    (k = account != 0 ? model_key_of(accountd.model, account, k)
			      : model_next_key(accountd.model, &at)) != NULL) {
		if (sub == 0 || k->r.subaccount == sub) {
			all = mem_resize(all, (*n + 1) * sizeof(*all));
			all[(*n)++] = k;
		}
	}
	if (*n > 0) {
		qsort(all, *n, sizeof(*all), by_id);
	}
	return all;
}

static void
key_list(struct tool *t)
{
	bool is_named = tool_arg(t, "account")[0] != '\0';
	const struct account *owner = is_named ? command_account(t) : NULL;
	autofree const struct key **all = NULL;
	size_t n = 0;
	uint32_t account = 0;
	uint32_t sub = 0;

	if (owner == NULL && is_named) {
		return; /* the tool has been told */
	}
	if (owner != NULL) {
		command_ids(owner, &account, &sub);
	}
	all = find_keys(account, sub, &n);
	for (size_t i = 0; i < n; i++) {
		tool_out(t, json_of(all[i]));
	}
	tool_end(t, EX_OK, NULL);
}

static void
add_use(void *arg, struct str ip, const struct schema_key_use *use)
{
	(void)json_array_append_new(arg,
	    json_pack("{s:o, s:o, s:o, s:I}", "address", command_text(ip),
		"first", command_time(use->first_us), "last",
		command_time(use->last_us), "count", (json_int_t)use->count));
}

static void
key_show(struct tool *t)
{
	const struct key *k = find_key(t);
	json_t *line;
	json_t *used;

	if (k == NULL) {
		return;
	}
	used = json_array();
	if (uses_each(k->r.id, add_use, used) < 0) {
		json_decref(used);
		tool_end(t, EX_TEMPFAIL, "the database cannot be read");
		return;
	}
	line = json_of(k);
	(void)json_object_set_new(line, "used_from", used);
	tool_out(t, line);
	tool_end(t, EX_OK, NULL);
}

/* ---- key.revoke ------------------------------------------------------------
 */

/* One alert, however many there are. */
static void
tell_revoked(const struct account *a, const struct key **keys, size_t n)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < n; i++) {
		buf_puts(&text, i == 0 ? "" : ", ");
		put_key(&text, &keys[i]->r);
	}
	if (a != NULL && n > 0) {
		herald_tell(ALERT_SECURITY, a, "key_revoked", false,
		    "%s %.*s of %s %s revoked", n == 1 ? "key" : "keys",
		    STR_ARG(buf_str(&text)), a->full_name,
		    n == 1 ? "was" : "were");
	}
	buf_fini(&text);
}

/* All in one transaction. False: the tool has been told. */
static bool
store_revoked(struct tool *t, const struct key **keys, size_t n)
{
	struct change *c = change_begin(accountd.model);
	uint64_t now = clock_wall_us();
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct schema_key new = keys[i]->r;

		new.revoked_us = now;
		r = change_put(c, SCHEMA_key, &new);
	}
	if (r < 0) {
		command_failed(t, &c, r);
		return false;
	}
	return command_commit(t, &c);
}

/* The keys are other objects after the commit. */
static bool
revoke_keys(
    struct tool *t, const struct account *a, const struct key **keys, size_t n)
{
	autofree uint32_t *ids = mem_alloc((n + 1) * sizeof(*ids));

	for (size_t i = 0; i < n; i++) {
		ids[i] = keys[i]->r.id;
	}
	if (n > 0 && !store_revoked(t, keys, n)) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		keys[i] = model_key(accountd.model, ids[i]);
		log_info("key %u is revoked", ids[i]);
		push_key(&keys[i]->r);
	}
	tell_revoked(a, keys, n);
	return true;
}

static void
revoke_all(struct tool *t)
{
	const struct account *a = command_account(t);
	autofree const struct key **keys = NULL;
	json_t *ids;
	uint32_t account;
	uint32_t sub;
	size_t n;
	size_t n_good = 0;

	if (a == NULL) {
		return;
	}
	command_ids(a, &account, &sub);
	keys = find_keys(account, sub, &n);
	for (size_t i = 0; i < n; i++) {
		if (keys[i]->r.revoked_us == 0) {
			keys[n_good++] = keys[i];
		}
	}
	if (!revoke_keys(t, a, keys, n_good)) {
		return;
	}
	ids = json_array();
	for (size_t i = 0; i < n_good; i++) {
		(void)json_array_append_new(
		    ids, json_integer((json_int_t)keys[i]->r.id));
	}
	command_done(t,
	    json_pack("{s:s, s:o}", "account", a->full_name, "revoked", ids));
}

static void
key_revoke(struct tool *t)
{
	const struct key *k;

	if (strcmp(tool_arg(t, "id"), "ALL") == 0) {
		revoke_all(t);
		return;
	}
	k = find_key(t);
	if (k != NULL && k->r.revoked_us != 0) {
		tool_out(t, json_of(k));
		tool_end(t, EX_OK, NULL);
	} else if (k != NULL && revoke_keys(t, account_of(k), &k, 1)) {
		command_done(t, json_of(k));
	}
}

const struct command key_commands[] = {
	{ "key.add", key_add },
	{ "key.set", key_set },
	{ "key.list", key_list },
	{ "key.show", key_show },
	{ "key.revoke", key_revoke },
	{ 0 },
};
