#include <errno.h>
#include <string.h>

#include "log.h"
#include "resolvd.h"
#include "service.h"

static TAILQ_HEAD(, request) requests = TAILQ_HEAD_INITIALIZER(requests);
static bool is_draining;

void
request_begin(struct request *r, struct peer *p, uint32_t id,
    void (*cancel)(struct request *r))
{
	r->peer = p;
	r->id = id;
	r->cancel = cancel;
	TAILQ_INSERT_TAIL(&requests, r, link);
}

static void
check_drained(void)
{
	if (is_draining && TAILQ_EMPTY(&requests)) {
		service_exit();
	}
}

void
request_reply(struct request *r, enum ipc_type type, const void *m)
{
	int e = peer_send(r->peer, type, r->id, m);

	if (e < 0 && e != -EPIPE) {
		log_error("reply 0x%04x to %s: %s", (unsigned)type,
		    role_name(peer_role(r->peer)), strerror(-e));
	}
	TAILQ_REMOVE(&requests, r, link);
	check_drained();
}

void
requests_peer_down(struct peer *p)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->peer == p) {
			TAILQ_REMOVE(&requests, r, link);
			r->cancel(r);
		}
	}
	check_drained();
}

void
requests_drain(void)
{
	is_draining = true;
	check_drained();
}

void
requests_stop(void)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&requests)) != NULL) {
		TAILQ_REMOVE(&requests, r, link);
		r->cancel(r);
	}
}
