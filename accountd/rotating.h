/*
 * The change of DKIM keys at work: signd makes and deletes them, the store
 * remembers where each change is. Its rules are in rotation.h.
 */
#ifndef ACCOUNTD_ROTATING_H
#define ACCOUNTD_ROTATING_H

#include "accountd.h"
#include "rotation.h"

/* The parameters of the change. */
struct rotation_times rotating_times(void);

/* Takes in what resolvd says of the domain's other keys, and tells who
 * depends on it. The domain is another object then. */
void rotating_checked(const struct domain *d, const struct ipc_dkim_rep *rep);

/* Takes the next step when it is due: keys to make by the schedule, or to
 * delete. The model changes later, from the loop. */
void rotating_go_on(const struct domain *d);

/* When the domain is to be looked at again for its other keys, at most most
 * microseconds from now. */
uint64_t rotating_interval(const struct domain *d, uint64_t most_us);

void rotating_stop(void);

/* The tool's commands domain.rotate (with "cancel": give it up) and
 * domain.set. */
void domain_rotate(struct tool *t);
void domain_set(struct tool *t);

#endif
