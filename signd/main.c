#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "log.h"
#include "odkim.h"
#include "service.h"
#include "signd.h"

struct signd signd;

static void
init(void)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
		    OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
		NULL) != 1) {
		fatal("OpenSSL cannot be initialised");
	}
	if (odkim_init() < 0) {
		fatal("libopendkim cannot be initialised");
	}
}

static void
start(void)
{
	signd.pool = pool_new((unsigned)conf()->dkim_threads, true);
	signd.files = pool_new(1, false);
	signd.ring =
	    keyring_new(AT_FDCWD, strcmp(conf()->dkim_signer, "opendkim") == 0);
}

static void
peer_down(struct peer *p)
{
	requests_peer_down(p);
	keys_peer_down(p);
}

void
signd_check_drained(void)
{
	if (signd.is_draining && pool_busy(signd.pool) == 0 &&
	    pool_busy(signd.files) == 0) {
		service_exit();
	}
}

static void
drain(void)
{
	signd.is_draining = true;
	signd_check_drained();
}

static void
stop(void)
{
	signd.is_draining = false; /* the end is decided */
	requests_stop();
	pool_free(&signd.pool);
	pool_free(&signd.files);
	keyring_free(&signd.ring);
	odkim_fini();
}

static const char *
directory(const struct conf *c)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/signd", c->state_directory);
	return path;
}

static const struct peer_handler handlers[] = {
	{ IPC_sign_req, requests_on_sign },
	{ IPC_key_make_req, keys_on_make },
	{ IPC_key_delete_req, keys_on_delete },
	{ IPC_key_retire_req, keys_on_retire },
	{ IPC_key_use, keys_on_use },
	{ IPC_tenants_end, keys_on_end },
	{ 0 },
};

static const struct service service = {
	.name = "signd",
	.role = ROLE_SIGND,
	.sandbox = SANDBOX_FILES | SANDBOX_THREADS,
	.directory = directory,
	.init = init,
	.start = start,
	.peer_down = peer_down,
	.tool = explain_serve,
	.handlers = handlers,
	.drain = drain,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
