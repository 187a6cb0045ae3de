#include "queue_age.h"

#include "clock.h"
#include "core_view.h"
#include "log.h"
#include "loop.h"
#include "map.h"
#include "qmgr.h"

/* Messages looked at in a turn of the loop. */
#define SLICE 2000
/* Recipients looked at to see that one is not held. */
#define RCPTS 16

struct queue_age {
	struct loop_timer *timer;
	uint32_t at;
	struct map *oldest; /* of this walk, by account and subaccount */
	struct map *told;   /* of the walk before */
};

struct since {
	uint64_t key;
	uint64_t us;
};

static uint64_t
key_of(uint32_t account, uint32_t subaccount)
{
	return (uint64_t)account << 32 | subaccount;
}

/*
 * Accepted at; of a message that was to be sent later: due at, which its
 * expiry tells. 0: that is still to come.
 */
static uint64_t
queued_since(const struct qmgr *q, const struct core_message *m)
{
	uint64_t accepted = uuid_wall_ms(&m->id) * US_PER_MS;
	uint64_t expiry = m->expiry_s * US_PER_S;
	uint64_t due = expiry > q->conf->queue_lifetime
	    ? expiry - q->conf->queue_lifetime
	    : 0;
	uint64_t since = due > accepted ? due : accepted;

	return since <= qmgr_now(q) ? since : 0;
}

/* Does anything but an administrator hold it up? */
static bool
is_moving(const struct qmgr *q, uint32_t msg)
{
	struct core_rcpt_view v[RCPTS];
	uint32_t n = core_message_rcpts(q->core, msg, v, RCPTS);

	for (uint32_t i = 0; i < n && i < RCPTS; i++) {
		if (v[i].state != CORE_RCPT_HELD) {
			return true;
		}
	}
	return n > RCPTS;
}

static bool
is_older(const struct queue_age *a, uint64_t key, uint64_t since)
{
	const struct since *s = map_get_u64(a->oldest, key);

	return s == NULL || since < s->us;
}

static void
note(struct queue_age *a, uint64_t key, uint64_t since)
{
	struct since *s = map_get_u64(a->oldest, key);

	if (s == NULL) {
		s = mem_alloc(sizeof(*s));
		s->key = key;
		s->us = since;
		(void)map_put_u64(a->oldest, key, s); /* new */
	} else if (since < s->us) {
		s->us = since;
	}
}

static void
look_at(struct qmgr *q, struct queue_age *a, uint32_t msg)
{
	struct core_message m;
	uint64_t own, since;
	uint32_t n;

	if (core_message_get(q->core, msg, &m, &n) < 0 || m.account == 0 ||
	    n == 0) {
		return;
	}
	since = queued_since(q, &m);
	own = key_of(m.account, m.subaccount);
	/* The first question is cheap, and most messages end with it. */
	if (since == 0 || !is_older(a, own, since) || !is_moving(q, msg)) {
		return;
	}
	note(a, own, since);
	note(a, key_of(m.account, 0), since);
}

static void
tell(struct qmgr *q, uint64_t key, uint64_t since)
{
	const struct ipc_queue_age m = { .account = (uint32_t)(key >> 32),
		.subaccount = (uint32_t)key,
		.since_us = since };

	peers_tell(q, ROLE_ACCOUNTD, IPC_queue_age, &m);
}

static void
tell_all(struct qmgr *q, struct queue_age *a)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(a->oldest, &at, &key, &value)) {
		const struct since *s = value;

		tell(q, s->key, s->us);
	}
	at = 0;
	while (map_next(a->told, &at, &key, &value)) {
		const struct since *s = value;

		if (map_get_u64(a->oldest, s->key) == NULL) {
			tell(q, s->key, 0);
		}
	}
	map_free(&a->told, free);
	a->told = a->oldest;
	a->oldest = map_new();
}

static void
run(void *arg)
{
	struct qmgr *q = arg;
	struct queue_age *a = q->queue_age;
	uint32_t msg;
	int r = 1;

	for (unsigned i = 0; i < SLICE && r == 1; i++) {
		r = core_walk(q->core, &a->at, &msg);
		if (r == 1) {
			look_at(q, a, msg);
		}
	}
	if (r != 0) {
		loop_timer_arm(a->timer, US_PER_MS);
		return;
	}
	a->at = 0;
	tell_all(q, a);
	loop_timer_arm(a->timer, q->conf->alert_queue_interval);
}

void
queue_age_init(struct qmgr *q)
{
	struct queue_age *a = mem_alloc(sizeof(*a));

	a->oldest = map_new();
	a->told = map_new();
	a->timer = loop_timer_new(run, q);
	loop_timer_arm(a->timer, q->conf->alert_queue_interval);
	q->queue_age = a;
}

void
queue_age_fini(struct qmgr *q)
{
	struct queue_age *a = q->queue_age;

	if (a != NULL) {
		loop_timer_free(&a->timer);
		map_free(&a->oldest, free);
		map_free(&a->told, free);
		free(a);
		q->queue_age = NULL;
	}
}
