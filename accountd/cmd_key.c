/*
 * key.add, list, show, revoke.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apikey.h"
#include "clock.h"
#include "commands.h"
#include "domain.h"
#include "expiry.h"
#include "herald.h"
#include "log.h"
#include "names.h"
#include "networks.h"
#include "smtp_path.h"

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

/* ---- key.add ---------------------------------------------------------------
 */

/* A new key's record with the texts it points to. */
struct draft {
	struct schema_key r;
	struct buf networks;
	struct buf methods;
	struct buf from;
};

static void
draft_fini(struct draft *d)
{
	buf_fini(&d->networks);
	buf_fini(&d->methods);
	buf_fini(&d->from);
}

/* The words of a list, parted by one blank. */
static void
normalize_list(struct str list, struct buf *out)
{
	for (size_t i = 0; i < list.len; i++) {
		char c = list.p[i];
		bool is_gap = c == ',' || c == ' ' || c == '\t';

		if (!is_gap) {
			buf_u8(out, (uint8_t)c);
		} else if (out->len > 0 && out->p[out->len - 1] != ' ') {
			buf_u8(out, ' ');
		}
	}
	if (out->len > 0 && out->p[out->len - 1] == ' ') {
		out->len--;
	}
}

static bool
is_method_list(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
		    strchr("/_-* ", c) == NULL) {
			return false;
		}
	}
	return true;
}

static bool
take_lists(struct tool *t, struct draft *d)
{
	char safe[80];
	struct str bad;

	normalize_list(str_of(tool_arg(t, "networks")), &d->networks);
	normalize_list(str_of(tool_arg(t, "methods")), &d->methods);
	d->r.networks = buf_str(&d->networks);
	d->r.methods = buf_str(&d->methods);
	if (networks_check(d->r.networks, &bad) < 0) {
		tool_end(t, EX_DATAERR,
		    "\"%s\" is no network: use address or address/bits",
		    str_safe(safe, sizeof(safe), bad));
		return false;
	}
	if (!is_method_list(d->r.methods)) {
		tool_end(t, EX_DATAERR,
		    "\"%s\" is no list of methods such as smtp/send",
		    str_safe(safe, sizeof(safe), d->r.methods));
		return false;
	}
	return true;
}

static bool
take_from(struct tool *t, struct draft *d)
{
	struct str from = str_of(tool_arg(t, "from"));
	char name[DOMAIN_NAME_MAX + 1];
	struct smtp_path path;
	char safe[80];
	ssize_t n = -EINVAL;

	if (from.len == 0) {
		return true;
	}
	if (memchr(from.p, '@', from.len) == NULL) {
		n = domain_to_ascii(
		    from.p, from.len, DOMAIN_UNDERSCORE, name, sizeof(name));
		buf_add(&d->from, name, n > 0 ? (size_t)n : 0);
	} else if (smtp_mailbox_parse(
		       from.p, from.len, SMTP_PATH_UTF8, &path) == 0) {
		n = 0;
		buf_add(&d->from, from.p, from.len);
	}
	if (n < 0) {
		tool_end(t, EX_DATAERR, "\"%s\" is no domain and no address",
		    str_safe(safe, sizeof(safe), from));
		return false;
	}
	d->r.from = buf_str(&d->from);
	return true;
}

static bool
take_rest(struct tool *t, struct draft *d)
{
	struct str expires = str_of(tool_arg(t, "expires"));
	char safe[80];
	int r;

	d->r.label = str_of(tool_arg(t, "label"));
	d->r.is_test = json_is_true(json_object_get(tool_args(t), "test"));
	d->r.created_us = clock_wall_us();
	if (d->r.label.len > 64) {
		tool_end(t, EX_DATAERR, "the label is longer than 64 bytes");
		return false;
	}
	if (expires.len == 0) {
		return true;
	}
	r = expiry_parse(expires, clock_wall_us(), &d->r.expires_us);
	if (r < 0) {
		tool_end(t, EX_DATAERR, "\"%s\" %s",
		    str_safe(safe, sizeof(safe), expires),
		    r == -ERANGE
			? "is not in the future"
			: "is no time: use 30d, or a date as 2030-12-31");
		return false;
	}
	return true;
}

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

static void
store_key(struct tool *t, const struct account *owner, struct draft *d)
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
		herald_tell(ALERT_SECURITY, owner, "key_made", false,
		    "key %u (%.*s) of %s was made", d->r.id,
		    STR_ARG(d->r.label), owner->full_name);
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
	struct draft d = { 0 };

	if (owner != NULL && take_lists(t, &d) && take_from(t, &d) &&
	    take_rest(t, &d)) {
		store_key(t, owner, &d);
	}
	draft_fini(&d);
}

/* ---- the others ------------------------------------------------------------
 */

static int
by_id(const void *a, const void *b)
{
	const struct key *const *x = a;
	const struct key *const *y = b;

	return ((*x)->r.id > (*y)->r.id) - ((*x)->r.id < (*y)->r.id);
}

static void
key_list(struct tool *t)
{
	const struct account *owner =
	    tool_arg(t, "account")[0] != '\0' ? command_account(t) : NULL;
	const struct key **all = NULL;
	const struct key *k;
	size_t n = 0;
	size_t at = 0;
	uint32_t account = 0;
	uint32_t sub = 0;

	if (owner == NULL && tool_arg(t, "account")[0] != '\0') {
		return; /* the tool has been told */
	}
	if (owner != NULL) {
		command_ids(owner, &account, &sub);
	}
	while ((k = model_next_key(accountd.model, &at)) != NULL) {
		if ((account == 0 || k->r.account == account) &&
		    (sub == 0 || k->r.subaccount == sub)) {
			all = mem_resize(all, (n + 1) * sizeof(*all));
			all[n++] = k;
		}
	}
	if (n > 0) {
		qsort(all, n, sizeof(*all), by_id);
	}
	for (size_t i = 0; i < n; i++) {
		tool_out(t, json_of(all[i]));
	}
	free(all);
	tool_end(t, EX_OK, NULL);
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

static void
tell_revoked(const struct key *k)
{
	const struct account *a = model_account(accountd.model,
	    k->r.subaccount != 0 ? k->r.subaccount : k->r.account);

	if (a != NULL) {
		herald_tell(ALERT_SECURITY, a, "key_revoked", false,
		    "key %u (%.*s) of %s was revoked", k->r.id,
		    STR_ARG(k->r.label), a->full_name);
	}
}

static void
key_revoke(struct tool *t)
{
	const struct key *k = find_key(t);
	struct change *c;
	struct schema_key new;
	int r;

	if (k == NULL) {
		return;
	}
	if (k->r.revoked_us != 0) {
		tool_out(t, json_of(k));
		tool_end(t, EX_OK, NULL);
		return;
	}
	new = k->r;
	new.revoked_us = clock_wall_us();
	c = change_begin(accountd.model);
	r = change_put(c, SCHEMA_key, &new);
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		k = model_key(accountd.model, new.id);
		log_info("key %u is revoked", new.id);
		tell_revoked(k);
		push_changed(k->r.account, k->r.id);
		command_done(t, json_of(k));
	}
}

const struct command key_commands[] = {
	{ "key.add", key_add },
	{ "key.list", key_list },
	{ "key.show", key_show },
	{ "key.revoke", key_revoke },
	{ 0 },
};
