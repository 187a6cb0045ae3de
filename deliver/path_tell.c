/*
 * What qmgr hears of the connections of a path. The messages leave with the
 * results of the same turn.
 */
#include "path.h"
#include "service.h"
#include "session.h"

static unsigned
count_opening(const struct path *p)
{
	const struct session *s;
	unsigned n = 0;

	TAILQ_FOREACH (s, &p->opening, link) {
		n++;
	}
	return n;
}

static void
tell(struct path *p, unsigned open, unsigned usable, unsigned ready)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	const struct ipc_path_conns m = {
		.path = p->key,
		.site = str_of(p->site),
		.provider = str_of(p->provider),
		.source_ip = str_of(p->source_ip),
		.open = open,
		.usable = usable,
		.ready = ready,
		.allowed = p->told.allowed,
		.asked = p->told.asked,
	};

	p->told = (struct path_told){
		.open = open, .usable = usable, .ready = ready
	};
	if (qmgr != NULL) {
		/* A qmgr that is gone hears it from paths_tell. */
		(void)peer_send(qmgr, IPC_path_conns, 0, &m);
	}
}

void
path_tell(struct path *p)
{
	unsigned usable = p->n_sessions + p->n_allowed;
	unsigned open = usable + p->n_parting;
	unsigned ready = p->n_sessions - count_opening(p);
	const struct path_told *t = &p->told;

	if (t->open != open || t->usable != usable || t->ready != ready ||
	    t->allowed != 0 || t->asked != 0) {
		tell(p, open, usable, ready);
	}
}

void
path_tell_none(struct path *p)
{
	const struct path_told *t = &p->told;

	if (t->open != 0 || t->allowed != 0 || t->asked != 0) {
		tell(p, 0, 0, 0);
	}
}
