#include "domain_keys.h"

#include <string.h>

#include "buf.h"
#include "clock.h"
#include "domain.h"
#include "records.h"
#include "service.h"

#define KEY_TIMEOUT_US (20 * US_PER_S)

enum { KEY_RSA, KEY_ED25519, KEYS };

static const char *const algorithms[KEYS] = { "rsa-sha256", "ed25519-sha256" };

struct making {
	domain_keys_fn *fn;
	void *arg;
	uint32_t account;
	char domain[DOMAIN_NAME_MAX + 1];
	char selectors[KEYS][SELECTOR_SIZE];
	struct buf records[KEYS];
	int step; /* the key that is being made */
};

static void
finish(struct making *m, const char *error)
{
	const struct domain_keys keys = {
		.selector1 = str_of(m->selectors[KEY_RSA]),
		.record1 = buf_str(&m->records[KEY_RSA]),
		.selector2 = str_of(m->selectors[KEY_ED25519]),
		.record2 = buf_str(&m->records[KEY_ED25519]),
	};

	m->fn(m->arg, error == NULL ? &keys : NULL, error);
	buf_fini(&m->records[KEY_RSA]);
	buf_fini(&m->records[KEY_ED25519]);
	free(m);
}

static void make_key(struct making *m);

static void
on_key(void *arg, enum ipc_type type, const void *msg)
{
	const struct ipc_key_make_rep *rep = msg;
	struct making *m = arg;

	(void)type;
	if (rep == NULL) {
		finish(m, "it does not answer; try again");
		return;
	}
	if (rep->status != 0) {
		finish(m, strerror((int)rep->status));
		return;
	}
	buf_add(&m->records[m->step], rep->record.p, rep->record.len);
	if (++m->step < KEYS) {
		make_key(m);
		return;
	}
	finish(m, NULL);
}

static void
make_key(struct making *m)
{
	const struct ipc_key_make_req req = {
		.account = m->account,
		.domain = str_of(m->domain),
		.selector = str_of(m->selectors[m->step]),
		.algorithm = str_of(algorithms[m->step]),
	};

	if (peer_call(service_peer(ROLE_SIGND, 0), IPC_key_make_req, &req, -1,
		KEY_TIMEOUT_US, on_key, m, NULL) < 0) {
		on_key(m, (enum ipc_type)0, NULL);
	}
}

void
domain_keys_make(uint32_t account, struct str domain, struct str selector1,
    struct str selector2, domain_keys_fn *fn, void *arg)
{
	struct making *m = mem_alloc(sizeof(*m));

	m->fn = fn;
	m->arg = arg;
	m->account = account;
	str_copy(m->domain, sizeof(m->domain), domain);
	str_copy(m->selectors[KEY_RSA], SELECTOR_SIZE, selector1);
	str_copy(m->selectors[KEY_ED25519], SELECTOR_SIZE, selector2);
	make_key(m);
}
