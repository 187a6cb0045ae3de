/*
 * A new sending domain: signd makes an RSA key, then an Ed25519 key, then the
 * domain is stored with what is to be published.
 */
#include "domain_add.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "domain.h"
#include "log.h"
#include "plan.h"
#include "service.h"

#define KEY_TIMEOUT_US (20 * US_PER_S)
#define TOKEN_PREFIX "packetboat-verification="
#define TOKEN_BYTES 16
#define TOKEN_SIZE (sizeof(TOKEN_PREFIX) + 2 * TOKEN_BYTES)

enum { KEY_RSA, KEY_ED25519, KEYS };

static const struct {
	const char *algorithm;
	char letter;
} kinds[KEYS] = { { "rsa-sha256", 'r' }, { "ed25519-sha256", 'e' } };

struct adding {
	struct tool *tool; /* NULL: gone */
	uint32_t account;
	char name[DOMAIN_NAME_MAX + 1];
	char selectors[KEYS][SELECTOR_SIZE];
	struct buf records[KEYS];
	int step; /* the key that is being made */
};

static void
adding_free(struct adding *a)
{
	buf_fini(&a->records[KEY_RSA]);
	buf_fini(&a->records[KEY_ED25519]);
	free(a);
}

static void
on_gone(struct tool *t, void *arg)
{
	struct adding *a = arg;

	(void)t;
	a->tool = NULL; /* the answer of signd is awaited all the same */
}

static int
make_token(char *dst)
{
	uint8_t random[TOKEN_BYTES];
	int n = snprintf(dst, TOKEN_SIZE, TOKEN_PREFIX);

	if (RAND_bytes(random, sizeof(random)) != 1) {
		return -EIO;
	}
	str_hex(dst + n, random, sizeof(random));
	return 0;
}

static void
fill_domain(const struct adding *a, const char *token, struct schema_domain *d)
{
	*d = (struct schema_domain){
		.account = a->account,
		.name = str_of(a->name),
		.state = DOMAIN_PENDING,
		.created_us = clock_wall_us(),
		.token = str_of(token),
		.selector1 = str_of(a->selectors[KEY_RSA]),
		.record1 = buf_str(&a->records[KEY_RSA]),
		.selector2 = str_of(a->selectors[KEY_ED25519]),
		.record2 = buf_str(&a->records[KEY_ED25519]),
		.token_status = CHECK_SKIPPED,
		.dkim1_status = CHECK_SKIPPED,
		.dkim2_status = CHECK_SKIPPED,
		.bounce_status = CHECK_SKIPPED,
		.spf_status = CHECK_SKIPPED,
		.dmarc_status = CHECK_SKIPPED,
	};
}

static void
store_domain(struct adding *a)
{
	struct tool *t = a->tool;
	struct schema_domain d;
	struct change *c;
	char token[TOKEN_SIZE];
	int r;

	tool_async(t, NULL, NULL, NULL);
	if (model_account(accountd.model, a->account) == NULL) {
		tool_end(t, EX_NOUSER, "the account was deleted meanwhile");
		return;
	}
	if (model_domain(accountd.model, a->account, str_of(a->name)) != NULL) {
		tool_end(
		    t, EX_CANTCREAT, "the account has %s already", a->name);
		return;
	}
	c = change_begin(accountd.model);
	r = make_token(token);
	if (r == 0) {
		fill_domain(a, token, &d);
		r = change_put(c, SCHEMA_domain, &d);
	}
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		log_info("domain=%s, account=%u, status=pending", a->name,
		    a->account);
		command_done(t,
		    domain_json(model_domain(
			accountd.model, a->account, str_of(a->name))));
	}
}

static void make_key(struct adding *a);

static void
on_key(void *arg, enum ipc_type type, const void *msg)
{
	const struct ipc_key_make_rep *m = msg;
	struct adding *a = arg;

	(void)type;
	if (a->tool == NULL) {
		adding_free(a); /* the keys are found again by the next add */
		return;
	}
	if (m == NULL || m->status != 0) {
		tool_async(a->tool, NULL, NULL, NULL);
		tool_end(a->tool, EX_TEMPFAIL, "signd makes no key: %s",
		    m == NULL ? "it does not answer; try again"
			      : strerror((int)m->status));
		adding_free(a);
		return;
	}
	buf_add(&a->records[a->step], m->record.p, m->record.len);
	if (++a->step < KEYS) {
		make_key(a);
		return;
	}
	store_domain(a);
	adding_free(a);
}

static void
make_key(struct adding *a)
{
	const struct ipc_key_make_req m = {
		.account = a->account,
		.domain = str_of(a->name),
		.selector = str_of(a->selectors[a->step]),
		.algorithm = str_of(kinds[a->step].algorithm),
	};

	if (peer_call(service_peer(ROLE_SIGND, 0), IPC_key_make_req, &m, -1,
		KEY_TIMEOUT_US, on_key, a, NULL) < 0) {
		on_key(a, (enum ipc_type)0, NULL);
	}
}

void
domain_add(struct tool *t)
{
	const struct account *owner = command_main_account(t);
	char name[DOMAIN_NAME_MAX + 1];
	struct adding *a;

	if (owner == NULL || !domain_name_arg(t, name, sizeof(name))) {
		return;
	}
	if (model_domain(accountd.model, owner->r.id, str_of(name)) != NULL) {
		tool_end(t, EX_CANTCREAT, "%s has %s already", owner->full_name,
		    name);
		return;
	}
	a = mem_alloc(sizeof(*a));
	a->tool = t;
	a->account = owner->r.id;
	memcpy(a->name, name, sizeof(a->name));
	for (int i = 0; i < KEYS; i++) {
		records_selector(a->account, clock_wall_us(), kinds[i].letter,
		    a->selectors[i]);
	}
	tool_async(t, on_gone, NULL, a);
	make_key(a);
}
