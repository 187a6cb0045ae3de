/*
 * hook.add, list, enable, disable, rotate, settle, delete; and what webhookd
 * says about an endpoint.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "event.h"
#include "log.h"
#include "service.h"

#define URL_MAX 2048
#define SECRET_BYTES 32
#define SECRET_SIZE 64

static const char *const formats[] = { "cloudmailin", "mandrill" };

static json_t *
json_of_kinds(uint64_t kinds)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < 64; i++) {
		const struct event_desc *e = event_desc(i);

		if ((kinds & 1ULL << i) != 0 && e != NULL) {
			(void)json_array_append_new(
			    names, json_string(e->name));
		}
	}
	return names;
}

static json_t *
json_of(const struct hook *h)
{
	const struct schema_hook *r = &h->r;

	return json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:b, s:o}", "id",
	    (json_int_t)r->id, "account",
	    command_name(r->account, r->subaccount), "url",
	    command_text(r->url), "kinds", json_of_kinds(r->kinds), "format",
	    formats[r->format % array_len(formats)], "status",
	    r->is_disabled ? "disabled" : "active", "reason",
	    command_text(r->reason), "rotating", (int)(r->old_secret.len != 0),
	    "created", command_time(r->created_us));
}

/* ---- hook.add --------------------------------------------------------------
 */

static bool
take_url(struct tool *t, struct schema_hook *h)
{
	const char *url = tool_arg(t, "url");
	const char *host = NULL;

	if (strncmp(url, "https://", 8) == 0) {
		host = url + 8;
	} else if (strncmp(url, "http://", 7) == 0 &&
	    conf()->webhook_allow_http) {
		host = url + 7;
	}
	for (const char *p = url; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~') {
			host = NULL;
		}
	}
	if (host == NULL || *host == '\0' || strlen(url) > URL_MAX) {
		tool_end(t, EX_DATAERR, "the URL must be %s, without blanks",
		    conf()->webhook_allow_http ? "http:// or https://"
					       : "https://");
		return false;
	}
	h->url = str_of(url);
	return true;
}

static uint64_t
all_kinds(void)
{
	const struct event_desc *const *rows;
	uint64_t kinds = 0;
	size_t n = 0;

	rows = event_descs(&n);
	for (size_t i = 0; i < n; i++) {
		if (rows[i]->scope == EVENT_SCOPE_WEBHOOK &&
		    rows[i]->type < 64) {
			kinds |= 1ULL << rows[i]->type;
		}
	}
	return kinds;
}

/* Those that CloudMailin sends, and deferral. */
#define DEFAULT_KINDS                                                          \
	(1ULL << EVENT_delivery | 1ULL << EVENT_bounce |                       \
	    1ULL << EVENT_soft_bounce | 1ULL << EVENT_open |                   \
	    1ULL << EVENT_click | 1ULL << EVENT_complaint |                    \
	    1ULL << EVENT_blocked | 1ULL << EVENT_deferral)

static bool
take_kinds(struct tool *t, struct schema_hook *h)
{
	struct str list = str_of(tool_arg(t, "kinds"));
	const uint64_t all = all_kinds();
	struct str word;
	char safe[64];

	h->kinds = list.len == 0 ? DEFAULT_KINDS : 0;
	if (str_is(list, "all")) {
		h->kinds = all;
		return true;
	}
	while (str_split(&list, ',', &word)) {
		const struct event_desc *e;

		word = str_trim(word);
		e = word.len > 0 ? event_desc_by_name(word) : NULL;
		if (e == NULL || e->type >= 64 ||
		    (all & 1ULL << e->type) == 0) {
			tool_end(t, EX_DATAERR,
			    "\"%s\" is no kind of event, see "
			    "packetboat-events(7)",
			    str_safe(safe, sizeof(safe), word));
			return false;
		}
		h->kinds |= 1ULL << e->type;
	}
	return true;
}

static bool
take_format(struct tool *t, struct schema_hook *h)
{
	const char *format = tool_arg(t, "format");

	for (size_t i = 0; i < array_len(formats); i++) {
		if (format[0] == '\0' || strcmp(format, formats[i]) == 0) {
			h->format = (uint8_t)i;
			return true;
		}
	}
	tool_end(t, EX_DATAERR, "the formats are cloudmailin and mandrill");
	return false;
}

static bool
exists(struct tool *t, const struct schema_hook *h)
{
	const struct hook *other;
	size_t at = 0;

	while ((other = model_next_hook(accountd.model, &at)) != NULL) {
		if (other->r.account == h->account &&
		    other->r.subaccount == h->subaccount &&
		    str_eq(other->r.url, h->url)) {
			tool_end(t, EX_CANTCREAT,
			    "the account has this URL already: hook %u",
			    other->r.id);
			return true;
		}
	}
	return false;
}

/* A secret as webhookd signs with it; it is printed once. */
static int
make_secret(char *dst)
{
	uint8_t random[SECRET_BYTES];
	int n;

	if (RAND_bytes(random, sizeof(random)) != 1) {
		return -EIO;
	}
	n = snprintf(dst, SECRET_SIZE, "whsec_");
	(void)EVP_EncodeBlock((unsigned char *)dst + n, random, sizeof(random));
	explicit_bzero(random, sizeof(random));
	return 0;
}

static void
store_hook(struct tool *t, struct schema_hook *h)
{
	struct change *c = change_begin(accountd.model);
	char secret[SECRET_SIZE];
	json_t *line;
	int r = make_secret(secret);

	h->id = change_new_id(c);
	h->created_us = clock_wall_us();
	h->secret = str_of(secret);
	if (r == 0) {
		r = change_put(c, SCHEMA_hook, h);
	}
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		line = json_of(model_hook(accountd.model, h->id));
		(void)json_object_set_new(line, "secret", json_string(secret));
		push_hook(h->id);
		command_done(t, line);
	}
	explicit_bzero(secret, sizeof(secret));
}

static void
hook_add(struct tool *t)
{
	const struct account *owner = command_account(t);
	struct schema_hook h = { 0 };

	if (owner == NULL) {
		return;
	}
	command_ids(owner, &h.account, &h.subaccount);
	if (take_url(t, &h) && take_kinds(t, &h) && take_format(t, &h) &&
	    !exists(t, &h)) {
		store_hook(t, &h);
	}
}

/* ---- the others ------------------------------------------------------------
 */

static int
by_id(const void *a, const void *b)
{
	const struct hook *const *x = a;
	const struct hook *const *y = b;

	return (*x)->r.id < (*y)->r.id ? -1 : (*x)->r.id > (*y)->r.id;
}

static void
hook_list(struct tool *t)
{
	const struct hook **found = NULL;
	size_t n = 0;
	const struct account *owner = NULL;
	const struct hook *h;
	uint32_t account = 0;
	uint32_t sub = 0;
	size_t at = 0;

	if (tool_arg(t, "account")[0] != '\0') {
		owner = command_account(t);
		if (owner == NULL) {
			return;
		}
		command_ids(owner, &account, &sub);
	}
	while ((h = model_next_hook(accountd.model, &at)) != NULL) {
		if ((account == 0 || h->r.account == account) &&
		    (sub == 0 || h->r.subaccount == sub)) {
			found = mem_resize(found, (n + 1) * sizeof(*found));
			found[n++] = h;
		}
	}
	if (n != 0) {
		qsort(found, n, sizeof(*found), by_id);
	}
	for (size_t i = 0; i < n; i++) {
		tool_out(t, json_of(found[i]));
	}
	free(found);
	tool_end(t, EX_OK, NULL);
}

/* By its number, or by its URL within the account. */
static const struct hook *
find_hook(struct tool *t, uint32_t account, uint32_t sub)
{
	const char *what = tool_arg(t, "hook");
	uint32_t id = command_number(t, "hook");
	const struct hook *h;
	size_t at = 0;

	while ((h = model_next_hook(accountd.model, &at)) != NULL) {
		if (h->r.account == account &&
		    (sub == 0 || h->r.subaccount == sub) &&
		    (h->r.id == id || str_is(h->r.url, what))) {
			return h;
		}
	}
	return NULL;
}

/* The one that the arguments name; or NULL, and the tool has been told. */
static const struct hook *
hook_arg(struct tool *t)
{
	const struct account *owner = command_account(t);
	const struct hook *h;
	uint32_t account;
	uint32_t sub;
	char safe[128];

	if (owner == NULL) {
		return NULL;
	}
	command_ids(owner, &account, &sub);
	h = find_hook(t, account, sub);
	if (h == NULL) {
		tool_end(t, EX_NOUSER, "%s has no hook %s", owner->full_name,
		    str_safe(safe, sizeof(safe), str_of(tool_arg(t, "hook"))));
	}
	return h;
}

static void
set_disabled(struct tool *t, bool is_disabled)
{
	const struct hook *h = hook_arg(t);
	struct schema_hook new;
	struct change *c;
	int r;

	if (h == NULL) {
		return;
	}
	new = h->r;
	new.is_disabled = is_disabled;
	new.reason = is_disabled ? STR("by the administrator") : STR("");
	c = change_begin(accountd.model);
	r = change_put(c, SCHEMA_hook, &new);
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		push_hook(new.id);
		command_done(t, json_of(model_hook(accountd.model, new.id)));
	}
}

static void
hook_enable(struct tool *t)
{
	set_disabled(t, false);
}

static void
hook_disable(struct tool *t)
{
	set_disabled(t, true);
}

/* Stores the hook with other secrets; says the new one, unless it is NULL. */
static void
change_secrets(
    struct tool *t, const struct schema_hook *new, const char *secret)
{
	struct change *c = change_begin(accountd.model);
	int r = change_put(c, SCHEMA_hook, new);
	json_t *line;

	if (r < 0) {
		command_failed(t, &c, r);
		return;
	}
	if (!command_commit(t, &c)) {
		return;
	}
	line = json_of(model_hook(accountd.model, new->id));
	if (secret != NULL) {
		(void)json_object_set_new(line, "secret", json_string(secret));
	}
	push_hook(new->id);
	command_done(t, line);
}

/* Requests are signed with both secrets from now on, until hook.settle. */
static void
hook_rotate(struct tool *t)
{
	const struct hook *h = hook_arg(t);
	struct schema_hook new;
	char secret[SECRET_SIZE];

	if (h == NULL) {
		return;
	}
	if (h->r.old_secret.len != 0) {
		/* A third one would part those who still have the first. */
		tool_end(t, EX_CANTCREAT,
		    "hook %u has two secrets already: see pbhook settle",
		    h->r.id);
		return;
	}
	if (make_secret(secret) < 0) {
		tool_end(t, EX_TEMPFAIL, "no random numbers: try again");
		return;
	}
	new = h->r;
	new.old_secret = h->r.secret;
	new.secret = str_of(secret);
	change_secrets(t, &new, secret);
	explicit_bzero(secret, sizeof(secret));
}

static void
hook_settle(struct tool *t)
{
	const struct hook *h = hook_arg(t);
	struct schema_hook new;

	if (h == NULL) {
		return;
	}
	new = h->r;
	new.old_secret = STR("");
	change_secrets(t, &new, NULL);
}

static void
hook_delete(struct tool *t)
{
	const struct hook *h = hook_arg(t);
	struct change *c;

	if (h == NULL) {
		return;
	}
	push_hook_deleted(h);
	c = change_begin(accountd.model);
	change_del(c, SCHEMA_hook, &h->r);
	if (command_commit(t, &c)) {
		command_done(t, NULL);
	}
}

void
hooks_on_state(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_hook_state *m = msg;
	const struct hook *h = model_hook(accountd.model, m->hook);
	struct schema_hook new;
	struct change *c;

	(void)p;
	(void)id;
	/* Only an administrator brings one back. */
	if (h == NULL || !m->is_disabled) {
		return;
	}
	if (h->r.is_disabled) {
		push_hook(m->hook); /* webhookd wants to know that it is */
		return;
	}
	new = h->r;
	new.is_disabled = 1;
	new.reason = m->reason;
	c = change_begin(accountd.model);
	if (change_put(c, SCHEMA_hook, &new) < 0 || change_commit(&c) < 0) {
		change_abort(&c);
		log_error("the state of hook %u is not stored", m->hook);
		return;
	}
	push_hook(m->hook);
}

const struct command hook_commands[] = {
	{ "hook.add", hook_add },
	{ "hook.list", hook_list },
	{ "hook.enable", hook_enable },
	{ "hook.disable", hook_disable },
	{ "hook.rotate", hook_rotate },
	{ "hook.settle", hook_settle },
	{ "hook.delete", hook_delete },
	{ 0 },
};
