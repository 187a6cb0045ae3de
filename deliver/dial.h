/*
 * Opens connections: the only place where deliver makes a socket.
 */
#ifndef DELIVER_DIAL_H
#define DELIVER_DIAL_H

#include <stdint.h>

#include "attr.h"
#include "plan.h"
#include "stream.h"

/*
 * Begins to connect; fn hears STREAM_CONNECTED or STREAM_ERROR, never from
 * within. source_ip: "" leaves the choice to the system. Returns 0, or
 * -errno: -EADDRNOTAVAIL when the source address is not this machine's.
 */
int dial(const struct plan_address *to, uint16_t port, const char *source_ip,
    stream_fn *fn, void *arg, struct stream **out) MUST_CHECK;

#endif
