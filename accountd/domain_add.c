/*
 * A new sending domain: signd makes its keys, then it is stored with what is
 * to be published.
 */
#include "domain_add.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "domain.h"
#include "domain_keys.h"
#include "log.h"
#include "plan.h"

#define TOKEN_PREFIX "packetboat-verification="
#define TOKEN_BYTES 16
#define TOKEN_SIZE (sizeof(TOKEN_PREFIX) + 2 * TOKEN_BYTES)

struct adding {
	struct tool *tool; /* NULL: gone */
	uint32_t account;
	char name[DOMAIN_NAME_MAX + 1];
};

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
fill_domain(const struct adding *a, const char *token,
    const struct domain_keys *keys, struct schema_domain *d)
{
	*d = (struct schema_domain){
		.account = a->account,
		.name = str_of(a->name),
		.state = DOMAIN_PENDING,
		.created_us = clock_wall_us(),
		.token = str_of(token),
		.selector1 = keys->selector1,
		.record1 = keys->record1,
		.selector2 = keys->selector2,
		.record2 = keys->record2,
		.token_status = CHECK_SKIPPED,
		.dkim1_status = CHECK_SKIPPED,
		.dkim2_status = CHECK_SKIPPED,
		.bounce_status = CHECK_SKIPPED,
		.spf_status = CHECK_SKIPPED,
		.dmarc_status = CHECK_SKIPPED,
	};
}

static void
store_domain(struct adding *a, const struct domain_keys *keys)
{
	struct tool *t = a->tool;
	struct schema_domain d;
	struct change *c;
	char token[TOKEN_SIZE];
	int r;

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
		fill_domain(a, token, keys, &d);
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

static void
on_keys(void *arg, const struct domain_keys *keys, const char *error)
{
	struct adding *a = arg;

	/* Without the tool, the keys are found again by the next add. */
	if (a->tool != NULL) {
		tool_async(a->tool, NULL, NULL, NULL);
		if (keys != NULL) {
			store_domain(a, keys);
		} else {
			tool_end(a->tool, EX_TEMPFAIL, "signd makes no key: %s",
			    error);
		}
	}
	free(a);
}

void
domain_add(struct tool *t)
{
	const struct account *owner = command_main_account(t);
	char selector1[SELECTOR_SIZE];
	char selector2[SELECTOR_SIZE];
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
	records_selector(owner->r.id, clock_wall_us(), 'r', selector1);
	records_selector(owner->r.id, clock_wall_us(), 'e', selector2);
	tool_async(t, on_gone, NULL, a);
	domain_keys_make(a->account, str_of(a->name), str_of(selector1),
	    str_of(selector2), on_keys, a);
}
