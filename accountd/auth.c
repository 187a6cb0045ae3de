/*
 * Who is logging in? The password is an API key and decides alone; the user
 * name may select a subaccount, as NAME/SUB.
 */
#include <string.h>

#include "account.h"
#include "accountd.h"
#include "apikey.h"
#include "clock.h"
#include "guarded.h"
#include "log.h"
#include "names.h"
#include "networks.h"
#include "service.h"
#include "settings.h"

static void
fill_answer(struct ipc_auth_rep *rep, const struct account *account,
    const struct account *sub, const struct key *key)
{
	struct settings s;

	settings_of(&account->r, sub != NULL ? &sub->r : NULL, &s);
	rep->account = account->r.id;
	rep->subaccount = sub != NULL ? sub->r.id : 0;
	rep->key = key != NULL ? key->r.id : 0;
	rep->flags = (s.unsigned_ok ? ACCOUNT_UNSIGNED_OK : 0) |
	    (key != NULL && key->r.is_test ? ACCOUNT_TEST : 0);
	rep->name = str_of(sub != NULL ? sub->full_name : account->full_name);
}

/* Words parted by blanks; a star at the end of one stands for anything. */
static bool
allows_method(struct str methods, struct str method)
{
	struct str word;

	if (methods.len == 0) {
		return true;
	}
	while (str_split(&methods, ' ', &word)) {
		if (str_eq(word, method) || str_is(word, "*")) {
			return true;
		}
		if (word.len > 1 && word.p[word.len - 1] == '*' &&
		    method.len >= word.len - 1 &&
		    memcmp(word.p, method.p, word.len - 1) == 0) {
			return true;
		}
	}
	return false;
}

/* The key of the password, when it is good at all. */
static const struct key *
find_key(struct str password)
{
	const struct key *k = NULL;
	uint32_t id = 0;

	if (apikey_id(password, &id) == 0) {
		k = model_key(accountd.model, id);
	}
	if (!apikey_matches(k != NULL ? &k->r : NULL, password) ||
	    k->r.revoked_us != 0 ||
	    (k->r.expires_us != 0 && k->r.expires_us <= clock_wall_us())) {
		return NULL;
	}
	return k;
}

/*
 * The subaccount meant by the key or the user name. A user name that does not
 * begin with the account's name and a slash means nothing.
 */
static enum account_verdict
find_sub(const struct key *k, const struct account *account, struct str login,
    const struct account **sub)
{
	struct name n;
	const struct account *named = NULL;

	if (name_parse(login, &n) == 0 && n.sub.len > 0 &&
	    str_eq(n.account, str_of(account->full_name))) {
		named = model_account_named(accountd.model, login);
		if (named == NULL) {
			return ACCOUNT_SUBACCOUNT;
		}
	}
	*sub = named;
	if (k->r.subaccount == 0) {
		return ACCOUNT_OK;
	}
	if (named != NULL && named->r.id != k->r.subaccount) {
		return ACCOUNT_SUBACCOUNT;
	}
	*sub = model_account(accountd.model, k->r.subaccount);
	return *sub != NULL ? ACCOUNT_OK : ACCOUNT_SUBACCOUNT;
}

/* The account that a failed login was aimed at: by the number in the key, or
 * by the user name. 0: none. */
static uint32_t
find_target(const struct ipc_auth_req *m)
{
	const struct account *a;
	const struct key *k;
	struct name n;
	uint32_t id = 0;

	if (apikey_id(m->password, &id) == 0) {
		k = model_key(accountd.model, id);
		if (k != NULL) {
			return k->r.account;
		}
	}
	if (name_parse(m->login, &n) < 0) {
		return 0;
	}
	a = model_account_named(accountd.model, n.account);
	return a != NULL ? a->r.id : 0;
}

/* May the key be used so, from there? */
static bool
allows_use(const struct key *k, const struct account *account,
    const struct ipc_auth_req *m)
{
	char ip[64];

	if (allows_method(k->r.methods, m->method) &&
	    (k->r.networks.len == 0 ||
		networks_contain(k->r.networks, m->client_ip))) {
		return true;
	}
	log_info("key %u of %s is not allowed: client=%s", k->r.id,
	    account->full_name, str_safe(ip, sizeof(ip), m->client_ip));
	return false;
}

void
auth_on_auth(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_auth_req *m = msg;
	const struct key *k = find_key(m->password);
	const struct account *account =
	    k != NULL ? model_account(accountd.model, k->r.account) : NULL;
	const struct account *sub = NULL;
	struct ipc_auth_rep rep = { .verdict = ACCOUNT_BAD_CREDENTIALS };
	uint32_t target = account != NULL ? account->r.id : find_target(m);

	if (account != NULL) {
		rep.verdict = (uint8_t)find_sub(k, account, m->login, &sub);
	}
	if (rep.verdict == ACCOUNT_OK && !allows_use(k, account, m)) {
		rep.verdict = ACCOUNT_NOT_ALLOWED;
	}
	if (rep.verdict == ACCOUNT_OK) {
		fill_answer(&rep, account, sub, k);
	}
	if (rep.verdict == ACCOUNT_BAD_CREDENTIALS) {
		guarded_fail(target, m->client_ip);
	}
	guarded_answer(p, id, target, m->client_ip, &rep);
	if (rep.verdict == ACCOUNT_OK) {
		uses_add(k->r.id, m->client_ip);
		guarded_good(target, m->client_ip);
	}
}

void
auth_on_client(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_client_req *m = msg;
	const struct account *a =
	    model_account_named(accountd.model, m->account);
	const struct account *sub = NULL;
	struct ipc_auth_rep rep = { .verdict = ACCOUNT_UNKNOWN };

	if (a != NULL && a->r.parent != 0) {
		sub = a;
		a = model_account(accountd.model, sub->r.parent);
	}
	if (a != NULL) {
		rep.verdict = ACCOUNT_OK;
		fill_answer(&rep, a, sub, NULL);
	}
	/* A peer that does not take it is about to be dropped. */
	(void)peer_send(p, IPC_auth_rep, id, &rep);
}
