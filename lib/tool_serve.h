/*
 * Where a tool's connection becomes a struct tool: used by service.c and by
 * master, which serves its own commands.
 */
#ifndef LIB_TOOL_SERVE_H
#define LIB_TOOL_SERVE_H

#include <stdint.h>

#include "ipc.h"
#include "tool.h"

/* Takes the connected socket; serve is called when the command is there. */
void tool_serve(
    int fd, enum role self, uint32_t uid, void (*serve)(struct tool *t));

#endif
