#include <unistd.h>

#include "master.h"

/* In the order in which a reload replaces them. */
const struct service_row service_rows[] = {
	{ ROLE_RESOLVD, "resolvd", "resolvd", false },
	{ ROLE_SIGND, "signd", "signd", false },
	{ ROLE_ACCOUNTD, "accountd", "accountd", false },
	{ ROLE_QMGR, "qmgr", NULL, false },
	{ ROLE_DELIVER, "deliver", NULL, false },
	{ ROLE_BOUNCER, "bouncer", NULL, false },
	{ ROLE_WEBHOOKD, "webhookd", "webhookd", false },
	{ ROLE_SMTPD, "smtpd", NULL, true },
};
const unsigned n_service_rows = array_len(service_rows);

/* Every channel of the suite: ARCHITECTURE.md draws this table. */
static const struct {
	unsigned a, b;
} channels[] = {
	{ ROLE_SMTPD, ROLE_ACCOUNTD | ROLE_SIGND | ROLE_QMGR },
	{ ROLE_QMGR,
	    ROLE_DELIVER | ROLE_RESOLVD | ROLE_BOUNCER | ROLE_WEBHOOKD |
		ROLE_ACCOUNTD },
	{ ROLE_RESOLVD, ROLE_DELIVER | ROLE_ACCOUNTD | ROLE_WEBHOOKD },
	{ ROLE_ACCOUNTD, ROLE_SIGND | ROLE_WEBHOOKD | ROLE_BOUNCER },
	{ ROLE_SIGND, ROLE_BOUNCER },
};

bool
service_talks(enum role a, enum role b)
{
	for (size_t i = 0; i < array_len(channels); i++) {
		if ((channels[i].a == (unsigned)a &&
			(channels[i].b & (unsigned)b) != 0) ||
		    (channels[i].a == (unsigned)b &&
			(channels[i].b & (unsigned)a) != 0)) {
			return true;
		}
	}
	return false;
}

unsigned
service_count(const struct service_row *row, const struct conf *c)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned share = row->role == ROLE_SMTPD ? 4 : 3;
	uint64_t n = 1;

	if (row->role == ROLE_SMTPD) {
		n = c->smtpd_processes;
	} else if (row->role == ROLE_DELIVER) {
		n = c->deliver_processes;
	}
	if (n == 0) {
		n = cpus > (long)share ? (uint64_t)cpus / share : 1;
	}
	return (unsigned)n;
}
