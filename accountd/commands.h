/*
 * What the commands of the tools share. Each command ends its tool exactly
 * once, with a status of sysexits.h.
 */
#ifndef ACCOUNTD_COMMANDS_H
#define ACCOUNTD_COMMANDS_H

#include <jansson.h>
#include <sysexits.h>

#include "accountd.h"

/* The account that the argument "account" names; or NULL, and the tool has
 * been told. */
const struct account *command_account(struct tool *t);

/* The account itself, where a subaccount is not meant; NULL as above. */
const struct account *command_main_account(struct tool *t);

/* An argument as a number, at most max; 0 when it is none. */
uint32_t command_number(const struct tool *t, const char *name);

/* Ends the tool after a change of the store failed with this error. */
void command_write_failed(struct tool *t, int error);

/* Ends the tool after a change that could not be made; c is freed. */
void command_failed(struct tool *t, struct change **c, int error);

/*
 * Ends the tool with this line (taken; may be NULL) once everything committed
 * so far is durable: "ok" is a promise.
 */
void command_done(struct tool *t, json_t *line);

/* Commits, and tells the tool when that fails. c is freed. */
bool command_commit(struct tool *t, struct change **c) MUST_CHECK;

/* Values of a JSON line. */
json_t *command_text(struct str s); /* what is not UTF-8 becomes '?' */
json_t *command_time(uint64_t us);  /* "2024-05-01T12:00:00Z"; 0: null */

/* Splits an account into ids and the reverse: of a subaccount the parent's
 * id and its own, else its own id and 0. */
void command_ids(const struct account *a, uint32_t *account, uint32_t *sub);
/* The account's full name, for a line. */
json_t *command_name(uint32_t account, uint32_t sub);

/* The commands: cmd_*.c */
struct command {
	const char *name;
	void (*fn)(struct tool *t);
};
extern const struct command account_commands[];
extern const struct command key_commands[];
extern const struct command domain_commands[];
extern const struct command hook_commands[];
extern const struct command suppress_commands[];
extern const struct command source_commands[];
extern const struct command explain_commands[];
extern const struct command backup_commands[];

#endif
