/*
 * A command of an administrator's tool, in the daemon that serves it. The
 * arguments are a JSON object; output is JSON texts, one a line.
 */
#ifndef LIB_TOOL_H
#define LIB_TOOL_H

#include <jansson.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

struct tool;

/* The command's name, such as "account.add". */
const char *tool_command(const struct tool *t);
/* The arguments; never NULL, an object. */
json_t *tool_args(const struct tool *t);
/* A string argument, "" when it is missing. */
const char *tool_arg(const struct tool *t, const char *name);
/* User id of who asks. */
uint32_t tool_uid(const struct tool *t);

/* One line of output (takes the reference). */
void tool_out(struct tool *t, json_t *line);

/*
 * Ends the command: status of sysexits.h (0: done) and, when not 0, one line
 * for standard error. The tool is freed.
 */
void tool_end(struct tool *t, int status, const char *fmt, ...) PRINTF(3, 4);

/*
 * For commands that go on over several turns: gone is called when the tool
 * has gone away (then t must not be used any more); drained when output may
 * go on after tool_is_full was true.
 */
void tool_async(struct tool *t, void (*gone)(struct tool *t, void *arg),
    void (*drained)(struct tool *t, void *arg), void *arg);
int tool_is_full(const struct tool *t);

/* Receives the data of standard input; is_last with the last piece. */
void tool_read(struct tool *t,
    void (*data)(struct tool *t, struct str data, int is_last, void *arg),
    void *arg);

#endif
