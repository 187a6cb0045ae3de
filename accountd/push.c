/*
 * What others must know of accounts, hooks and keys: all of it when they come
 * up, then each change. A peer that does not take a message is dropped and
 * hears everything again.
 */
#include "accountd.h"
#include "follow.h"
#include "plan.h"
#include "service.h"
#include "settings.h"
#include "sources.h"
#include "standing.h"

static void
send_to_all(enum role role, enum ipc_type type, const void *m)
{
	struct peer *p = service_peer(role, 0);

	if (p != NULL) {
		(void)peer_send(p, type, 0, m);
	}
}

/* ---- source addresses, for qmgr -------------------------------------------
 */

static void
make_source(const struct source *s, struct ipc_source *out)
{
	*out = (struct ipc_source){
		.ip = s->r.ip,
		.name = s->r.ehlo.len > 0 ? s->r.ehlo : s->r.name,
		.pool = s->r.pool,
		.is_usable = s->r.state == SOURCE_GOOD,
	};
}

static void
send_source(struct peer *p, const struct source *s)
{
	struct ipc_source m;
	const struct ipc_source_plan plan = {
		.ip = s->r.ip,
		.reason = s->r.reason,
		.ceiling = sources_ceiling(&s->r),
	};

	make_source(s, &m);
	(void)peer_send(p, IPC_source, 0, &m);
	(void)peer_send(p, IPC_source_plan, 0, &plan);
}

static void
send_sources(struct peer *p)
{
	const struct source *s;
	size_t at = 0;

	while ((s = model_next_source(accountd.model, &at)) != NULL) {
		send_source(p, s);
	}
}

void
push_source(const struct source *s)
{
	struct peer *p = service_peer(ROLE_QMGR, 0);

	if (p != NULL) {
		send_source(p, s);
	}
}

void
push_source_deleted(const struct source *s)
{
	struct ipc_source m;

	make_source(s, &m);
	m.is_deleted = 1;
	send_to_all(ROLE_QMGR, IPC_source, &m);
}

/* ---- tenants, for qmgr ----------------------------------------------------
 */

static void
make_tenant(const struct account *a, struct ipc_tenant *out)
{
	const struct account *parent = a->r.parent != 0
	    ? model_account(accountd.model, a->r.parent)
	    : NULL;
	struct settings s;

	settings_of(parent != NULL ? &parent->r : &a->r,
	    parent != NULL ? &a->r : NULL, &s);
	*out = (struct ipc_tenant){
		.account = parent != NULL ? parent->r.id : a->r.id,
		.subaccount = parent != NULL ? a->r.id : 0,
		.name = str_of(a->full_name),
		.weight = s.weight,
		.hourly_quota = standing_quota(a, NULL),
		.max_connections = a->r.max_connections,
		.queue_limit = a->r.queue_limit,
		.is_paused = s.is_paused,
		.pool = s.pool,
		.keep_content_s = s.keep_content_s,
	};
}

static void
send_tenants(struct peer *p)
{
	const struct schema_instance *i = model_instance(accountd.model);
	const struct ipc_return_key key = { .key = i->return_key };
	const struct ipc_tenants_end end = { 0 };
	const struct account *a;
	size_t at = 0;

	(void)peer_send(p, IPC_return_key, 0, &key);
	while ((a = model_next_account(accountd.model, &at)) != NULL) {
		struct ipc_tenant m;

		make_tenant(a, &m);
		(void)peer_send(p, IPC_tenant, 0, &m);
	}
	send_sources(p);
	(void)peer_send(p, IPC_tenants_end, 0, &end);
}

void
push_account(uint32_t id)
{
	const struct account *a;
	size_t at = 0;

	while ((a = model_next_account(accountd.model, &at)) != NULL) {
		struct ipc_tenant m;

		if (a->r.id == id || a->r.parent == id) {
			make_tenant(a, &m);
			send_to_all(ROLE_QMGR, IPC_tenant, &m);
		}
	}
}

void
push_quota(const struct account *a)
{
	struct ipc_tenant m;

	make_tenant(a, &m);
	send_to_all(ROLE_QMGR, IPC_tenant, &m);
}

void
push_account_deleted(const struct account *a)
{
	struct ipc_tenant m;

	make_tenant(a, &m);
	m.is_deleted = 1;
	send_to_all(ROLE_QMGR, IPC_tenant, &m);
}

/* ---- hooks, for webhookd --------------------------------------------------
 */

static void
make_hook(const struct hook *h, struct ipc_hook *out)
{
	const struct account *a = model_account(accountd.model, h->r.account);

	*out = (struct ipc_hook){
		.hook = h->r.id,
		.account = h->r.account,
		.account_name = str_of(a != NULL ? a->full_name : ""),
		.subaccount = h->r.subaccount,
		.url = h->r.url,
		.secret = h->r.secret,
		.old_secret = h->r.old_secret,
		.kinds = h->r.kinds,
		.format = h->r.format,
		.is_disabled = h->r.is_disabled,
		.created_us = h->r.created_us,
	};
}

static void
send_hooks(struct peer *p)
{
	const struct ipc_tenants_end end = { 0 };
	const struct hook *h;
	size_t at = 0;

	while ((h = model_next_hook(accountd.model, &at)) != NULL) {
		struct ipc_hook m;

		make_hook(h, &m);
		(void)peer_send(p, IPC_hook, 0, &m);
	}
	(void)peer_send(p, IPC_tenants_end, 0, &end);
}

void
push_hook(uint32_t id)
{
	const struct hook *h = model_hook(accountd.model, id);
	struct ipc_hook m;

	if (h != NULL) {
		make_hook(h, &m);
		send_to_all(ROLE_WEBHOOKD, IPC_hook, &m);
	}
}

void
push_hook_deleted(const struct hook *h)
{
	struct ipc_hook m;

	make_hook(h, &m);
	m.is_deleted = 1;
	send_to_all(ROLE_WEBHOOKD, IPC_hook, &m);
}

/* ---- keys in use, for signd -----------------------------------------------
 */

/* Only keys whose records were seen may sign: a signature under a key that
 * nobody can look up does more harm than none. */
static void
make_key_use(const struct domain *d, struct ipc_key_use *out)
{
	*out = (struct ipc_key_use){
		.account = d->r.account,
		.domain = d->r.name,
	};
	if (d->r.state == DOMAIN_VERIFIED) {
		out->selector1 = d->r.selector1;
		if (d->r.dkim2_status == CHECK_OK) {
			out->selector2 = d->r.selector2;
		}
	}
}

static void
send_key_uses(struct peer *p)
{
	const struct ipc_tenants_end end = { 0 };
	const struct domain *d;
	size_t at = 0;

	while ((d = model_next_domain(accountd.model, &at)) != NULL) {
		struct ipc_key_use m;

		make_key_use(d, &m);
		if (m.selector1.len > 0) {
			(void)peer_send(p, IPC_key_use, 0, &m);
		}
	}
	(void)peer_send(p, IPC_tenants_end, 0, &end);
}

void
push_domain(const struct domain *d)
{
	struct ipc_key_use m;

	make_key_use(d, &m);
	send_to_all(ROLE_SIGND, IPC_key_use, &m);
}

/* ---- all ------------------------------------------------------------------
 */

static void
send_changed(struct peer *p, void *arg)
{
	(void)peer_send(p, IPC_accounts_changed, 0, arg);
}

void
push_changed(uint32_t account)
{
	struct ipc_accounts_changed m = { .account = account };

	service_peers(ROLE_SMTPD, send_changed, &m);
}

void
push_key(const struct schema_key *k)
{
	struct ipc_accounts_changed m = { .account = k->account,
		.key = k->id,
		.is_good = k->revoked_us == 0 };

	service_peers(ROLE_SMTPD, send_changed, &m);
}

void
push_peer_up(struct peer *p)
{
	struct ipc_accounts_changed any = { 0 };

	switch (peer_role(p)) {
	case ROLE_SMTPD:
		send_changed(p, &any);
		break;
	case ROLE_QMGR:
		send_tenants(p);
		follow_qmgr_up();
		break;
	case ROLE_WEBHOOKD:
		send_hooks(p);
		break;
	case ROLE_SIGND:
		send_key_uses(p);
		break;
	case ROLE_MASTER:
	case ROLE_ACCOUNTD:
	case ROLE_RESOLVD:
	case ROLE_DELIVER:
	case ROLE_BOUNCER:
	case ROLE_TOOL:
	case ROLE_DAEMONS:
		break;
	}
}
