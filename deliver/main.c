#include "deliver.h"
#include "service.h"

static const struct service deliver = {
	.name = "deliver",
	.role = ROLE_DELIVER,
	.sandbox = SANDBOX_CONNECT,
	.init = deliver_init, /* certificates of authorities */
	.peer_up = deliver_peer_up,
	.handlers = deliver_handlers,
	.drain = deliver_drain,
	.stop = deliver_stop,
};

int
main(int argc, char **argv)
{
	return service_main(&deliver, argc, argv);
}
