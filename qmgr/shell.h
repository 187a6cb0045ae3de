/*
 * What the process calls: the functions of struct service.
 */
#ifndef QMGR_SHELL_H
#define QMGR_SHELL_H

#include "conf.h"
#include "peer.h"
#include "tool.h"

const char *shell_directory(const struct conf *c);
/* Reads the routes and shaping.cf. */
void shell_init(void);
void shell_start(void);
void shell_peer_up(struct peer *p);
void shell_peer_down(struct peer *p);
void shell_tool(struct tool *t);
void shell_drain(void);
void shell_stop(void);

extern const struct peer_handler qmgr_handlers[];

#endif
