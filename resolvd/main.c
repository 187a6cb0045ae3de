/*
 * resolvd: the only process that asks the outside about names.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "ask.h"
#include "log.h"
#include "resolvd.h"
#include "service.h"
#include "sts.h"

/* Channels, the log, libevent: what is open besides questions. */
#define FILES_BESIDES 256

/* Beyond the cache: far more than all questions together need, bytes. */
#define MEMORY_BESIDES (512ULL * 1024 * 1024)

/*
 * Both limits are for the cage, which inherits them: it closes every
 * descriptor there can be, and takes no more memory than this.
 */
static void
set_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		rlim_t files = conf()->dns_question_limit + FILES_BESIDES;

		l.rlim_cur = files < l.rlim_max ? files : l.rlim_max;
		l.rlim_max = l.rlim_cur;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
#ifndef PB_SANITIZERS
	l.rlim_cur = l.rlim_max = conf()->dns_cache_size + MEMORY_BESIDES;
	(void)setrlimit(RLIMIT_DATA, &l);
#endif
}

static void
init(void)
{
	set_limits();
	ask_init();
	sts_init();
}

static void
stop(void)
{
	dnssec_stop();
	requests_stop();
	sts_stop();
	ask_fini();
}

static void
start(void)
{
	sts_begin();
	dnssec_check();
}

static const char *
directory(const struct conf *c)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/resolvd", c->state_directory);
	return path;
}

static const struct peer_handler handlers[] = {
	{ IPC_site_req, site_on_request },
	{ IPC_plan_req, hosts_on_request },
	{ IPC_addr_req, address_on_request },
	{ IPC_domain_req, domain_on_request },
	{ IPC_dkim_req, domain_on_keys },
	{ IPC_ptr_req, ptr_on_request },
	{ 0 },
};

static const struct service service = {
	.name = "resolvd",
	.role = ROLE_RESOLVD,
	.sandbox =
	    SANDBOX_CONNECT | SANDBOX_FORK | SANDBOX_FILES | SANDBOX_THREADS,
	.directory = directory,
	.init = init,
	.start = start,
	.peer_down = requests_peer_down,
	.handlers = handlers,
	.tool = sts_tool,
	.drain = requests_drain,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
