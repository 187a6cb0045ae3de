#include "deliver.h"
#include "explain_route.h"
#include "service.h"

static void
stop(void)
{
	explain_fini();
	deliver_stop();
}

static const struct service deliver = {
	.name = "deliver",
	.role = ROLE_DELIVER,
	.sandbox = SANDBOX_CONNECT,
	.init = deliver_init, /* certificates of authorities */
	.peer_up = deliver_peer_up,
	.tool = explain_serve,
	.handlers = deliver_handlers,
	.drain = deliver_drain,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return service_main(&deliver, argc, argv);
}
