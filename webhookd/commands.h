/*
 * What the tools' commands share.
 */
#ifndef WEBHOOKD_COMMANDS_H
#define WEBHOOKD_COMMANDS_H

#include <jansson.h>
#include <stdint.h>

#include "attr.h"
#include "hook.h"
#include "tool.h"

/* The endpoint named by "hook", its number or URL, and "account". NULL, and
 * the command is ended, when there is not exactly one. */
struct hook *command_hook(struct tool *t);

/* null for 0 */
json_t *command_time(uint64_t us);

/* A line of hook.status. */
json_t *command_status(const struct hook *h);

/* again.c: what is sent once more. Both answer when that is durable. */
void command_replay(struct tool *t);
void command_deadletter(struct tool *t);

#endif
