#include <stdio.h>

#include "service.h"
#include "webhookd.h"

static const char *
directory(const struct conf *c)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/webhookd", c->state_directory);
	return path;
}

static const struct service webhookd = {
	.name = "webhookd",
	.role = ROLE_WEBHOOKD,
	.sandbox = SANDBOX_CONNECT | SANDBOX_FILES | SANDBOX_THREADS,
	.directory = directory,
	.init = webhookd_init,
	.start = webhookd_start,
	.peer_up = webhookd_peer_up,
	.handlers = webhookd_handlers,
	.tool = webhookd_tool,
	.drain = webhookd_drain,
	.stop = webhookd_stop,
};

int
main(int argc, char **argv)
{
	return service_main(&webhookd, argc, argv);
}
