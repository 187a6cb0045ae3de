/*
 * The queue manager: schedule, limits, retries; the only writer of the
 * journal. One loop around core.h.
 */
#include "service.h"

#include "shell.h"

static const struct service qmgr = {
	.name = "qmgr",
	.role = ROLE_QMGR,
	.sandbox = SANDBOX_FILES | SANDBOX_THREADS,
	.directory = shell_directory,
	.init = shell_init,
	.start = shell_start,
	.peer_up = shell_peer_up,
	.peer_down = shell_peer_down,
	.handlers = qmgr_handlers,
	.tool = shell_tool,
	.drain = shell_drain,
	.stop = shell_stop,
};

int
main(int argc, char **argv)
{
	return service_main(&qmgr, argc, argv);
}
