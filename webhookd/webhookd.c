#include "webhookd.h"

#include "accepted.h"
#include "hook.h"
#include "journal.h"
#include "journal_feed.h"
#include "log.h"
#include "lookup.h"
#include "post.h"
#include "progress.h"
#include "proxy.h"
#include "saver.h"
#include "sender.h"
#include "service.h"
#include "tail.h"

static bool is_started;	 /* the working directory is ours */
static bool knows_hooks; /* accountd has told of all of them */
static bool is_running;

/* Where the tail begins: at the least place that is not far behind. */
struct begin {
	struct journal_place place;
	uint64_t least; /* places before are left to their endpoints */
};

static void
consider(struct hook *h, void *arg)
{
	struct begin *b = arg;

	if (h->state != HOOK_NEW && h->place.after >= b->least &&
	    h->place.after < b->place.after) {
		b->place = h->place;
	}
}

static void
make_live(struct hook *h, void *arg)
{
	const struct begin *b = arg;

	h->is_live = h->state != HOOK_NEW && h->place.after >= b->place.after &&
	    dead_next(&h->dead) == NULL;
}

/* Needs to know the endpoints and the journal's end. */
static void
try_to_run(void)
{
	uint64_t end = journal_feed_durable();
	uint32_t number = journal_lsn_number(end);
	struct begin b;

	if (is_running || !is_started || !knows_hooks || end == 0) {
		return;
	}
	is_running = true;
	/* A batch begins at the end, so no record has its lsn. */
	b.place = (struct journal_place){ end, end };
	b.least = journal_lsn(number > 0 ? number - 1 : 0, 0);
	hooks_each(consider, &b);
	hooks_each(make_live, &b);
	sender_start();
	tail_start(b.place);
}

static void
on_feed(void)
{
	try_to_run();
	tail_changed();
	sender_kick_all();
}

static void
on_journal_file(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	journal_feed_on_file(m, peer_take_fd(p));
}

static void
on_journal_durable(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	journal_feed_on_durable(m);
}

static void
on_hook(struct peer *p, uint32_t id, const void *m)
{
	bool is_new;
	struct hook *h = hooks_update(m, tail_place(), &is_new);

	(void)p;
	(void)id;
	if (h == NULL) {
		return;
	}
	if (is_started) {
		if (is_new) {
			sender_add(h);
		}
		progress_changed();
	}
	sender_kick(h);
}

static void
on_tenants_end(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	(void)m;
	hooks_end();
	if (!knows_hooks) {
		log_info("%zu endpoints", hooks_count());
	}
	knows_hooks = true;
	progress_loaded();
	try_to_run();
}

const struct peer_handler webhookd_handlers[] = {
	{ IPC_journal_file, on_journal_file },
	{ IPC_journal_durable, on_journal_durable },
	{ IPC_hook, on_hook },
	{ IPC_tenants_end, on_tenants_end },
	{ 0 },
};

void
webhookd_peer_up(struct peer *p)
{
	switch (peer_role(p)) {
	case ROLE_QMGR:
		journal_feed_on_qmgr();
		break;
	case ROLE_ACCOUNTD:
		hooks_begin();
		break;
	default:
		break;
	}
}

void
webhookd_init(void)
{
	struct addr_nets allow;

	if (addr_nets_parse(conf()->webhook_allow_networks, &allow) < 0) {
		fatal("webhook_allow_networks = %s: not a list of address/bits",
		    conf()->webhook_allow_networks);
	}
	json_object_seed(0);
	proxy_init();
	post_init(conf()->webhook_CAfile, &allow);
	lookup_init(&allow);
	sender_init();
	/* Channels may speak before start is called. */
	journal_feed_start(on_feed);
	accepted_start();
	hooks_start();
}

static void
add(struct hook *h, void *arg)
{
	(void)arg;
	sender_add(h);
}

void
webhookd_start(void)
{
	saver_start();
	progress_start();
	is_started = true;
	/* accountd may have spoken already. */
	hooks_each(add, NULL);
	if (knows_hooks) {
		progress_loaded();
	}
	try_to_run();
}

static void
on_saved(void)
{
	service_exit();
}

static void
on_quiet(void)
{
	progress_finish(on_saved);
}

void
webhookd_drain(void)
{
	sender_drain(on_quiet);
}

void
webhookd_stop(void)
{
	tail_stop();
	saver_stop();
	hooks_stop();
	progress_stop();
	post_stop();
	proxy_stop();
	sender_stop();
	accepted_stop();
	journal_feed_stop();
	is_started = false;
	knows_hooks = false;
	is_running = false;
}
