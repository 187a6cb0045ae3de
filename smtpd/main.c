#include "service.h"
#include "tickets.h"
#include "worker.h"

static const struct service smtpd = {
	.name = "smtpd",
	.role = ROLE_SMTPD,
	.sandbox = SANDBOX_ACCEPT | SANDBOX_THREADS,
	.init = worker_init, /* certificate, SASL mechanisms */
	.start = worker_start,
	.peer_up = worker_peer_up,
	.handlers = worker_handlers,
	.listen = worker_listen,
	.ticket_key = tickets_set_keys,
	.drain = worker_drain,
	.stop = worker_stop,
};

int
main(int argc, char **argv)
{
	return service_main(&smtpd, argc, argv);
}
