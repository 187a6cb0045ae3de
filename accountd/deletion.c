#include "deletion.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "domain.h"
#include "domain_add.h"
#include "log.h"
#include "service.h"

#define KEY_TIMEOUT_US (20 * US_PER_S)

/* A deletion that waits for signd. It goes on when the tool goes away. */
struct deletion {
	struct tool *tool; /* NULL: gone */
	uint32_t account;
	bool is_account;		  /* all domains, then the account */
	char domain[DOMAIN_NAME_MAX + 1]; /* whose keys signd deletes */
};

/* ---- the account ------------------------------------------------------------
 */

/* Does a record with these ids belong to the account that goes? */
static bool
is_of(const struct account *a, uint32_t account, uint32_t sub)
{
	return a->r.parent != 0 ? sub == a->r.id : account == a->r.id;
}

static void
delete_keys(struct change *c, const struct account *a)
{
	uint32_t of = a->r.parent != 0 ? a->r.parent : a->r.id;
	const struct key *k = NULL;

	while ((k = model_key_of(accountd.model, of, k)) != NULL) {
		if (is_of(a, k->r.account, k->r.subaccount)) {
			change_del(c, SCHEMA_key, &k->r);
			uses_forget(k->r.id);
		}
	}
}

static void
delete_hooks(struct change *c, const struct account *a)
{
	const struct hook *h;
	size_t at = 0;

	while ((h = model_next_hook(accountd.model, &at)) != NULL) {
		if (is_of(a, h->r.account, h->r.subaccount)) {
			change_del(c, SCHEMA_hook, &h->r);
			push_hook_deleted(h);
		}
	}
}

/* Statistics without an account do no harm; a failure is in the log. */
static void
delete_tallies(const struct account *a)
{
	const struct account *sub;
	size_t at = 0;

	while ((sub = model_next_account(accountd.model, &at)) != NULL) {
		if (sub->r.parent == a->r.id) {
			(void)!tallies_delete(accountd.tallies, sub->r.id);
		}
	}
	(void)!tallies_delete(accountd.tallies, a->r.id);
}

static void
delete_accounts(struct change *c, const struct account *a)
{
	const struct account *sub;
	size_t at = 0;

	while ((sub = model_next_account(accountd.model, &at)) != NULL) {
		if (sub->r.parent == a->r.id) {
			change_del(c, SCHEMA_account, &sub->r);
			push_account_deleted(sub);
		}
	}
	change_del(c, SCHEMA_account, &a->r);
	push_account_deleted(a);
}

/* All but its domains, which are gone before. 0 or -errno. */
static int
delete_account(const struct account *a)
{
	struct change *c = change_begin(accountd.model);
	uint32_t account;
	uint32_t sub;
	int r;

	log_info("account %s is deleted", a->full_name);
	command_ids(a, &account, &sub);
	delete_keys(c, a);
	delete_hooks(c, a);
	delete_tallies(a);
	delete_accounts(c, a);
	r = change_commit(&c);
	if (r == 0) {
		push_changed(account);
		purges_start(account, sub);
	}
	return r;
}

/* ---- a domain after the other
 * ------------------------------------------------ */

static const struct domain *
any_domain(uint32_t account)
{
	const struct domain *d;
	size_t at = 0;

	while ((d = model_next_domain(accountd.model, &at)) != NULL) {
		if (d->r.account == account) {
			return d;
		}
	}
	return NULL;
}

static int
delete_domain(const struct domain *d)
{
	struct change *c = change_begin(accountd.model);
	uint32_t account = d->r.account;
	int r;

	log_info("domain=%.*s, account=%u, status=deleted", STR_ARG(d->r.name),
	    account);
	checks_deleted(d);
	change_del(c, SCHEMA_domain, &d->r);
	r = change_commit(&c);
	if (r == 0) {
		push_changed(account);
	}
	return r;
}

static void
on_gone(struct tool *t, void *arg)
{
	struct deletion *d = arg;

	(void)t;
	d->tool = NULL;
}

/* Ends the deletion; text NULL: it is done. */
static void
finish(struct deletion *d, int status, const char *text)
{
	struct tool *t = d->tool;

	free(d);
	if (t == NULL) {
		return;
	}
	tool_async(t, NULL, NULL, NULL);
	if (text == NULL) {
		command_done(t, NULL);
	} else {
		tool_end(t, status, "%s", text);
	}
}

static void
finish_error(struct deletion *d, int error)
{
	finish(d, EX_TEMPFAIL, strerror(-error));
}

static void ask_signd(struct deletion *d, const struct domain *domain);

/* After the last domain asked for; goes on with the next, or the account. */
static void
go_on(struct deletion *d)
{
	const struct account *a = model_account(accountd.model, d->account);
	const struct domain *next = NULL;
	int r;

	if (!d->is_account || a == NULL) {
		finish(d, EX_OK, NULL);
		return;
	}
	next = a->r.parent == 0 ? any_domain(d->account) : NULL;
	if (next != NULL) {
		ask_signd(d, next);
		return;
	}
	r = delete_account(a);
	if (r < 0) {
		finish_error(d, r);
		return;
	}
	finish(d, EX_OK, NULL);
}

static void
on_deleted(void *arg, enum ipc_type type, const void *msg)
{
	const struct ipc_key_delete_rep *m = msg;
	struct deletion *d = arg;
	const struct domain *domain =
	    model_domain(accountd.model, d->account, str_of(d->domain));
	int r = 0;

	(void)type;
	if (m == NULL) {
		finish(d, EX_TEMPFAIL, "signd does not answer; try again");
		return;
	}
	if (m->status != 0) {
		finish(d, EX_TEMPFAIL, "signd cannot delete the keys");
		return;
	}
	if (domain != NULL) {
		r = delete_domain(domain);
	}
	if (r < 0) {
		finish_error(d, r);
		return;
	}
	go_on(d);
}

static void
delete_keys_in_use(struct deletion *d, const struct domain *domain)
{
	const struct ipc_key_delete_req m = {
		.account = domain->r.account,
		.domain = domain->r.name,
		.selector1 = domain->r.selector1,
		.selector2 = domain->r.selector2,
	};

	if (peer_call(service_peer(ROLE_SIGND, 0), IPC_key_delete_req, &m, -1,
		KEY_TIMEOUT_US, on_deleted, d, NULL) < 0) {
		on_deleted(d, (enum ipc_type)0, NULL);
	}
}

static void
on_retired(void *arg, enum ipc_type type, const void *msg)
{
	const struct ipc_key_retire_rep *m = msg;
	struct deletion *d = arg;
	const struct domain *domain =
	    model_domain(accountd.model, d->account, str_of(d->domain));

	(void)type;
	if (m == NULL) {
		finish(d, EX_TEMPFAIL, "signd does not answer; try again");
	} else if (m->status != 0) {
		finish(d, EX_TEMPFAIL, "signd cannot delete the keys");
	} else if (domain == NULL) {
		go_on(d); /* another deletion was faster */
	} else {
		delete_keys_in_use(d, domain);
	}
}

/* The keys that come or went, then those in use. */
static void
ask_signd(struct deletion *d, const struct domain *domain)
{
	const struct ipc_key_retire_req m = {
		.account = domain->r.account,
		.domain = domain->r.name,
		.selector1 = domain->r.other1,
		.selector2 = domain->r.other2,
	};

	str_copy(d->domain, sizeof(d->domain), domain->r.name);
	if (domain->r.rotation == ROTATION_NONE) {
		delete_keys_in_use(d, domain);
	} else if (peer_call(service_peer(ROLE_SIGND, 0), IPC_key_retire_req,
		       &m, -1, KEY_TIMEOUT_US, on_retired, d, NULL) < 0) {
		on_retired(d, (enum ipc_type)0, NULL);
	}
}

static struct deletion *
deletion_new(struct tool *t, uint32_t account, bool is_account)
{
	struct deletion *d = mem_alloc(sizeof(*d));

	d->tool = t;
	d->account = account;
	d->is_account = is_account;
	tool_async(t, on_gone, NULL, d);
	return d;
}

void
account_delete(struct tool *t)
{
	const struct account *a = command_account(t);

	if (a != NULL) {
		go_on(deletion_new(t, a->r.id, true));
	}
}

void
domain_delete(struct tool *t)
{
	const struct domain *domain = domain_arg(t);

	if (domain != NULL) {
		ask_signd(deletion_new(t, domain->r.account, false), domain);
	}
}
