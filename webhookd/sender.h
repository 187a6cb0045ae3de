/*
 * Moves an endpoint from events (reading.h) to an answer: making a batch,
 * resolving the name, the request, and what its answer means. Endpoints share
 * nothing but the loop, so one that is dead or slow delays itself only. At most
 * one request of an endpoint is under way, so the events of a message arrive in
 * their order.
 */
#ifndef WEBHOOKD_SENDER_H
#define WEBHOOKD_SENDER_H

#include "attr.h"
#include "hook.h"
#include "post.h"

/* Before anything else here; fatal() when a parameter cannot be read. */
void sender_init(void);
/* From now on events are sent. */
void sender_start(void);
void sender_stop(void);
/* Begin no further requests; quiet is called when none is under way. */
void sender_drain(void (*quiet)(void));

/* An endpoint is new: where do its events begin? */
void sender_add(struct hook *h);
/* Something may be possible now that was not. */
void sender_kick(struct hook *h);
void sender_kick_all(void);

#endif
