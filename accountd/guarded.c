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

struct late {
	struct late *next;
	struct loop_timer *timer;
	struct peer *peer;
	uint32_t id;
	struct ipc_auth_rep rep;
	char name[255]; /* what rep.name points to */
};

static struct {
	struct guard *guard;
	struct loop_timer *sweep;
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

void
guarded_stop(void)
{
	if (guarded.guard == NULL) {
		return;
	}
	while (guarded.late != NULL) {
		late_end(guarded.late);
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

static void
take_use(void *arg, struct str ip, const struct schema_key_use *use)
{
	(void)use;
	guard_good(guarded.guard, *(const uint32_t *)arg, ip);
}

/* From where keys of the account have been used that are good still: asked
 * for once, when the failures begin to matter. */
static void
learn_networks(uint32_t account)
{
	const struct key *k;
	uint64_t now = clock_wall_us();
	size_t at = 0;

	while ((k = model_next_key(accountd.model, &at)) != NULL) {
		bool is_good = k->r.revoked_us == 0 &&
		    (k->r.expires_us == 0 || k->r.expires_us > now);

		/* An error is logged; then the owner is slowed, too. */
		if (k->r.account == account && is_good) {
			(void)!uses_each(k->r.id, take_use, &account);
		}
	}
	guard_good(guarded.guard, account, STR(""));
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
