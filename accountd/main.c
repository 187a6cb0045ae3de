#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "accountd.h"
#include "backup.h"
#include "follow.h"
#include "guarded.h"
#include "herald.h"
#include "log.h"
#include "return_path.h"
#include "rotating.h"
#include "service.h"
#include "sources.h"
#include "standing.h"

struct accountd accountd;

/* What belongs to the instance is made once and kept for good: a lost key
 * would make every return path that is out there a forged one. */
static void
ensure_instance(void)
{
	const struct schema_instance *i = model_instance(accountd.model);
	struct schema_instance new = { .next_id = 1 };
	uint8_t key[RETURN_PATH_KEY_LEN];
	struct change *c;
	int r;

	if (i->return_key.len == RETURN_PATH_KEY_LEN) {
		return;
	}
	if (RAND_bytes(key, sizeof(key)) != 1) {
		fatal("no randomness for a key");
	}
	new.return_key = (struct str){ (const char *)key, sizeof(key) };
	c = change_begin(accountd.model);
	r = change_put(c, SCHEMA_instance, &new);
	if (r == 0) {
		r = change_commit(&c);
	}
	if (r == 0) {
		r = store_sync_now(accountd.store);
	}
	if (r < 0) {
		fatal("the database cannot be made: %s%s", strerror(-r),
		    r == -ENOSPC ? ": database_min_free is to be left on the "
				   "file system of state_directory"
				 : "");
	}
	explicit_bzero(key, sizeof(key));
}

static char boot[64];

/* While there is a /proc. Without it the filter's file of suppressions is only
 * believed after a stop. */
static void
init(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, boot, sizeof(boot) - 1) < 0) {
			boot[0] = '\0';
		}
		(void)close(fd);
	}
}

static void
start(void)
{
	const struct store_options options = {
		.directory = ".",
		.cache_size = conf()->database_cache_size,
		.checkpoint_us = conf()->database_checkpoint_time,
		.checkpoint_bytes = conf()->database_checkpoint_size,
		.min_free = conf()->database_min_free,
		.filter_bytes = conf()->suppression_filter_size,
		.boot = boot,
	};
	struct buf error = { 0 };

	if (store_open(&options, &accountd.store, &error) < 0 ||
	    model_load(accountd.store, &accountd.model, &error) < 0) {
		fatal("%.*s", STR_ARG(buf_str(&error)));
	}
	if (tallies_load(accountd.store, &accountd.tallies) < 0) {
		fatal("the database has a damaged record: tally");
	}
	if (warm_counts_load(accountd.store, &accountd.warm) < 0) {
		fatal("the database has a damaged record: warm");
	}
	if (notices_load(accountd.store, conf()->alert_limit,
		conf()->alert_lifetime, &accountd.notices) < 0) {
		fatal("the database has a damaged record: notice");
	}
	buf_fini(&error);
	accountd.site = (struct records_site){
		.bounce_domain = conf()->bounce_domain,
		.myhostname = conf()->myhostname,
		.sources = conf()->inet_interfaces_out,
	};
	ensure_instance();
	backup_start();
	herald_start();
	uses_start();
	guarded_start();
	checks_start();
	sources_start();
	standing_start();
	follow_start();
}

void
accountd_check_drained(void)
{
	if (accountd.is_draining && commands_pending() == 0) {
		service_exit();
	}
}

static void
drain(void)
{
	accountd.is_draining = true;
	accountd_check_drained();
}

static void
stop(void)
{
	accountd.is_draining = false; /* the end is decided */
	follow_stop();
	standing_stop();
	sources_stop();
	checks_stop();
	rotating_stop();
	guarded_stop();
	uses_stop();
	herald_stop();
	purges_stop();
	store_close(&accountd.store); /* commands hear of their sync */
	tallies_free(&accountd.tallies);
	notices_free(&accountd.notices);
	warm_counts_free(&accountd.warm);
	model_free(&accountd.model);
}

static const char *
directory(const struct conf *c)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/accountd", c->state_directory);
	return path;
}

static const struct peer_handler handlers[] = {
	{ IPC_auth_req, auth_on_auth },
	{ IPC_client_req, auth_on_client },
	{ IPC_tx_req, tx_on_tx },
	{ IPC_rcpt_req, rcpt_on_rcpt },
	{ IPC_forward_req, rcpt_on_forward },
	{ IPC_hook_state, hooks_on_state },
	{ IPC_journal_file, follow_on_file },
	{ IPC_journal_durable, follow_on_durable },
	{ IPC_queue_age, standing_on_queue_age },
	{ 0 },
};

static const struct service service = {
	.name = "accountd",
	.role = ROLE_ACCOUNTD,
	.sandbox = SANDBOX_FILES | SANDBOX_THREADS,
	.directory = directory,
	.init = init,
	.start = start,
	.peer_up = push_peer_up,
	.peer_down = guarded_peer_down,
	.handlers = handlers,
	.tool = commands_serve,
	.drain = drain,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
