/*
 * The keys of TLS session tickets: one for all smtpd processes, so that a
 * client resumes its session with whichever of them accepts it. Made here
 * because only master knows them all; used by none but smtpd, kept nowhere.
 */
#include <openssl/rand.h>
#include <string.h>

#include "log.h"
#include "loop.h"
#include "master.h"

#define KEY_SIZE 80 /* as ipc.def has it */

/* The one in use, and the one before it, whose tickets are still good. */
static uint8_t keys[2][KEY_SIZE];
static bool has_previous;
static struct loop_timer *timer;

static void
make_key(void)
{
	if (RAND_bytes(keys[0], KEY_SIZE) != 1) {
		fatal("no random numbers for a ticket key");
	}
}

/* A key too old is worth nothing to who steals it: it is gone. */
static void
on_timer(void *arg)
{
	uint64_t time_us = master_conf()->smtpd_tls_ticket_time;

	(void)arg;
	memcpy(keys[1], keys[0], KEY_SIZE);
	has_previous = true;
	make_key();
	if (time_us != 0) {
		loop_timer_arm(timer, time_us);
	}
	child_each(ROLE_SMTPD, tickets_send);
}

void
tickets_send(struct peer *smtpd)
{
	uint64_t time_us = master_conf()->smtpd_tls_ticket_time;
	struct ipc_ticket_key m;

	if (time_us == 0) {
		return; /* it gives none */
	}
	if (timer == NULL) {
		make_key();
		timer = loop_timer_new(on_timer, NULL);
	}
	if (!loop_timer_is_armed(timer)) {
		loop_timer_arm(timer, time_us);
	}
	m.current = (struct str){ (const char *)keys[0], KEY_SIZE };
	m.previous =
	    (struct str){ (const char *)keys[1], has_previous ? KEY_SIZE : 0 };
	(void)peer_send(smtpd, IPC_ticket_key, 0, &m);
}

void
tickets_fini(void)
{
	loop_timer_free(&timer);
	explicit_bzero(keys, sizeof(keys));
}
