/*
 * webhookd as a whole: its messages, its commands, its start and end.
 */
#ifndef WEBHOOKD_WEBHOOKD_H
#define WEBHOOKD_WEBHOOKD_H

#include "attr.h"
#include "peer.h"
#include "tool.h"

extern const struct peer_handler webhookd_handlers[];

void webhookd_init(void);
void webhookd_start(void);
void webhookd_peer_up(struct peer *p);
void webhookd_drain(void);
void webhookd_stop(void);

/* Commands of pbhook(1): hook.status hook.test hook.replay. */
void webhookd_tool(struct tool *t);

#endif
