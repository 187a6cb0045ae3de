#include "bouncer.h"
#include "service.h"

static const struct service bouncer = {
	.name = "bouncer",
	.role = ROLE_BOUNCER,
	.sandbox = SANDBOX_THREADS, /* the writer's; no network, no files */
	.init = worker_init,	    /* libraries that read files */
	.start = writer_start,
	.peer_up = worker_peer_up,
	.handlers = worker_handlers,
	.drain = worker_drain,
	.stop = worker_stop,
};

int
main(int argc, char **argv)
{
	return service_main(&bouncer, argc, argv);
}
