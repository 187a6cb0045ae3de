/*
 * What every tool shares: options, the control socket, output, exit status.
 */
#ifndef TOOLS_CLIENT_H
#define TOOLS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "attr.h"
#include "conf.h"

/*
 * Takes "-c DIR" and "--json" (anywhere before "--") out of argv, loads the
 * configuration (on a mistake: its line on standard error, exit 78). usage is
 * printed for --help (exit 0) and by client_usage.
 */
void client_init(int *argc, char **argv, const char *usage);
/* The two halves of it, for tools that can do without a configuration. */
void client_options(int *argc, char **argv, const char *usage);
void client_load(void);
/* Where packetboat.cf is, loaded or not. */
const char *client_directory(void);
/* NULL before it is loaded. */
const struct conf *client_conf(void);
bool client_wants_json(void);

/* Prints "tool: what" if what is not NULL, then the usage, exits with 64. */
void client_usage(const char *what) NORETURN;

/* "tool: text" on standard error; exits with the status of sysexits.h. */
void client_die(int status, const char *fmt, ...) PRINTF(2, 3) NORETURN;

/*
 * Runs a command in a daemon ("accountd", "qmgr" ...): args is taken. line is
 * called for each line of output (borrowed); NULL prints them as JSON. Returns
 * the daemon's exit status, having printed its error. Without a running suite:
 * prints "the mail system is down" and returns 69; client_is_down tells.
 */
int client_call(const char *service, const char *command, json_t *args,
    void (*line)(json_t *line, void *arg), void *arg);
bool client_is_down(void);

/* The same with the data of the descriptor sent along as standard input. */
int client_call_data(const char *service, const char *command, json_t *args,
    int fd, void (*line)(json_t *line, void *arg), void *arg);

/* For client_call where a command has nothing to show. */
void client_print_nothing(json_t *line, void *arg);

/* Sets an argument; value NULL: nothing. Text that is not UTF-8 ends the
 * program with its line (65). */
void client_set(json_t *args, const char *name, const char *value);

/*
 * Words of the form name=value as an object, with prefix before each name;
 * another form ends the program with the usage. The words are cut.
 */
json_t *client_settings(char **words, const char *prefix);

/* A string of an object, "" when missing; an integer, 0 when missing. */
const char *client_str(const json_t *o, const char *name);
json_int_t client_int(const json_t *o, const char *name);

#endif
