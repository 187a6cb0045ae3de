#include "guarded.h"

#include <string.h>

#include "account.h"
#include "clock.h"
#include "guard.h"
#include "log.h"
#include "loop.h"
#include "service.h"

/* Late answers at a time: each is a client that waits. */
#define LATE_MAX 10000
#define SWEEP_US (60 * US_PER_S)
/* Read in one turn of the loop, to learn the networks of an account. */
#define LEARN_KEYS 50
#define LEARN_USES 1000

struct late {
	struct late *next;
	struct loop_timer *timer;
	struct peer *peer;
	uint32_t id;
	struct ipc_auth_rep rep;
	char name[255]; /* what rep.name points to */
};

/* An account whose networks are being learned. */
struct learning {
	struct learning *next;
	struct loop_timer *timer;
	uint32_t account;
	struct buf keys; /* ids that are left, u32 each */
	unsigned uses;	 /* in this turn */
};

static struct {
	struct guard *guard;
	struct loop_timer *sweep;
	struct learning *learning;
	struct late *late;
	unsigned n_late;
} guarded;

static void
sweep(void *arg)
{
	(void)arg;
	guard_sweep(guarded.guard, clock_mono_us(), conf()->auth_failure_time);
	loop_timer_arm(guarded.sweep, SWEEP_US);
}

void
guarded_start(void)
{
	guarded.guard = guard_new();
	guarded.sweep = loop_timer_new(sweep, NULL);
	loop_timer_arm(guarded.sweep, SWEEP_US);
}

/* Takes it out of the list and frees it. */
static void
late_end(struct late *l)
{
	struct late **at = &guarded.late;

	while (*at != l) {
		at = &(*at)->next;
	}
	*at = l->next;
	guarded.n_late--;
	loop_timer_free(&l->timer);
	free(l);
}

static void
learn_end(struct learning *l)
{
	struct learning **at = &guarded.learning;

	while (*at != l) {
		at = &(*at)->next;
	}
	*at = l->next;
	loop_timer_free(&l->timer);
	buf_fini(&l->keys);
	free(l);
}

void
guarded_stop(void)
{
	if (guarded.guard == NULL) {
		return;
	}
	while (guarded.late != NULL) {
		late_end(guarded.late);
	}
	while (guarded.learning != NULL) {
		learn_end(guarded.learning);
	}
	loop_timer_free(&guarded.sweep);
	guard_free(&guarded.guard);
}

void
guarded_peer_down(struct peer *p)
{
	struct late *next;

	for (struct late *l = guarded.late; l != NULL; l = next) {
		next = l->next;
		if (l->peer == p) {
			late_end(l);
		}
	}
}

/* ---- networks --------------------------------------------------------------
 */

/*
 * Networks are asked for once, when the failures of an account begin to
 * matter: all uses of its keys, of which there may be any number, so some in
 * each turn of the loop. Until then all its clients are slowed.
 */
static void
take_use(void *arg, struct str ip, const struct schema_key_use *use)
{
	struct learning *l = arg;

	(void)use;
	guard_good(guarded.guard, l->account, ip);
	l->uses++;
}

/* From where a key has been used that is good still. */
static void
learn_key(struct learning *l, uint32_t id)
{
	const struct key *k = model_key(accountd.model, id);

	/* An error is logged; then the owner is slowed, too. */
	if (k != NULL && k->r.revoked_us == 0 &&
	    (k->r.expires_us == 0 || k->r.expires_us > clock_wall_us())) {
		(void)!uses_each(id, take_use, l);
	}
}

static void
learn_some(void *arg)
{
	struct learning *l = arg;
	uint32_t id;

	l->uses = 0;
	for (unsigned n = 0; n < LEARN_KEYS && l->uses < LEARN_USES; n++) {
		if (l->keys.len == 0) {
			guard_good(guarded.guard, l->account, STR(""));
			learn_end(l);
			return;
		}
		l->keys.len -= sizeof(id);
		memcpy(&id, l->keys.p + l->keys.len, sizeof(id));
		learn_key(l, id);
	}
	loop_timer_arm(l->timer, 0);
}

static void
learn_networks(uint32_t account)
{
	const struct key *k = NULL;
	struct learning *l = guarded.learning;

	while (l != NULL && l->account != account) {
		l = l->next;
	}
	if (l != NULL) {
		return; /* at it */
	}
	l = mem_alloc(sizeof(*l));
	l->account = account;
	l->timer = loop_timer_new(learn_some, l);
	l->next = guarded.learning;
	guarded.learning = l;
	while ((k = model_key_of(accountd.model, account, k)) != NULL) {
		buf_add(&l->keys, &k->r.id, sizeof(k->r.id));
	}
	learn_some(l);
}

void
guarded_fail(uint32_t account, struct str client_ip)
{
	uint64_t limit = conf()->auth_failure_limit;
	const struct account *a;
	unsigned n;
	char safe[64];

	if (account == 0) {
		return;
	}
	n = guard_fail(
	    guarded.guard, account, clock_mono_us(), conf()->auth_failure_time);
	a = model_account(accountd.model, account);
	if (n == limit && a != NULL) {
		log_warn("%u failed logins to account %s, the last one from "
			 "%s: others from unknown networks are slowed",
		    n, a->full_name, str_safe(safe, sizeof(safe), client_ip));
	}
}

void
guarded_good(uint32_t account, struct str client_ip)
{
	guard_good(guarded.guard, account, client_ip);
}

/* ---- answers ---------------------------------------------------------------
 */

static bool
is_slowed(uint32_t account, struct str client_ip)
{
	if (account == 0 || conf()->auth_failure_delay == 0 ||
	    !guard_is_pressed(guarded.guard, account,
		(unsigned)conf()->auth_failure_limit, clock_mono_us(),
		conf()->auth_failure_time)) {
		return false;
	}
	if (!guard_has_networks(guarded.guard, account)) {
		learn_networks(account);
	}
	return !guard_is_good(guarded.guard, account, client_ip);
}

static void
send_late(void *arg)
{
	struct late *l = arg;

	/* A peer that does not take it is about to be dropped. */
	(void)peer_send(l->peer, IPC_auth_rep, l->id, &l->rep);
	late_end(l);
}

void
guarded_answer(struct peer *p, uint32_t id, uint32_t account,
    struct str client_ip, const struct ipc_auth_rep *rep)
{
	struct late *l;

	if (!is_slowed(account, client_ip)) {
		(void)peer_send(p, IPC_auth_rep, id, rep); /* as above */
		return;
	}
	if (guarded.n_late >= LATE_MAX) {
		const struct ipc_auth_rep busy = { .verdict =
						       ACCOUNT_TRY_LATER };

		(void)peer_send(p, IPC_auth_rep, id, &busy);
		return;
	}
	l = mem_alloc(sizeof(*l));
	l->peer = p;
	l->id = id;
	l->rep = *rep;
	str_copy(l->name, sizeof(l->name), rep->name);
	l->rep.name = str_of(l->name);
	l->next = guarded.late;
	guarded.late = l;
	guarded.n_late++;
	l->timer = loop_timer_new(send_late, l);
	loop_timer_arm(l->timer, conf()->auth_failure_delay);
}
