/*
 * Does a domain's SPF record let an address send? The record is evaluated by
 * libspf2 in a cage, again and again, until all answers it wants are there.
 */
#ifndef RESOLVD_SPF_H
#define RESOLVD_SPF_H

#include <sys/queue.h>

#include "address.h"
#include "attr.h"
#include "cage.h"
#include "check.h"
#include "spf_table.h"

typedef void spf_fn(void *arg);

/* A check. The owner keeps it, zeroed at first. */
struct spf {
	struct check_result result;

	TAILQ_ENTRY(spf) link; /* while it waits for a cage */
	bool is_waiting;
	bool has_cage;
	char domain[DOMAIN_NAME_MAX + 1];
	char sender[321];
	char ip_text[46];
	struct plan_address ip;
	struct address own; /* when no address is given */
	struct ask ask;
	unsigned n_questions;
	struct spf_table table;
	struct cage cage;
	struct loop_timer *timer;
	struct loop_defer defer;
	spf_fn *fn;
	void *arg;
};

/*
 * Checks the record of the sender's domain for the address ip as text; an
 * empty one stands for the first address of myhostname. fn(arg) is called
 * once, never from within, unless spf_end comes first.
 */
void spf_start(
    struct spf *s, const char *sender, struct str ip, spf_fn *fn, void *arg);
void spf_end(struct spf *s);

#endif
