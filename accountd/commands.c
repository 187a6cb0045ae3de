#include "commands.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "names.h"
#include "service.h"

/* A tool whose change is on its way to the disk. */
struct pending {
	struct tool *tool; /* NULL: it has gone away */
	json_t *line;
};

static size_t n_pending;

static void
on_gone(struct tool *t, void *arg)
{
	struct pending *p = arg;

	(void)t;
	p->tool = NULL;
}

static void
on_synced(void *arg, int status)
{
	struct pending *p = arg;

	if (p->tool != NULL && status == 0) {
		if (p->line != NULL) {
			tool_out(p->tool, json_incref(p->line));
		}
		tool_end(p->tool, EX_OK, NULL);
	} else if (p->tool != NULL) {
		tool_end(p->tool, EX_IOERR, "the database cannot be synced: %s",
		    strerror(-status));
	}
	json_decref(p->line);
	free(p);
	n_pending--;
	if (status < 0) {
		service_exit(); /* a new process recovers what is there */
		return;
	}
	accountd_check_drained();
}

void
command_done(struct tool *t, json_t *line)
{
	struct pending *p = mem_alloc(sizeof(*p));

	p->tool = t;
	p->line = line;
	n_pending++;
	tool_async(t, on_gone, NULL, p);
	store_sync(accountd.store, on_synced, p);
}

size_t
commands_pending(void)
{
	return n_pending;
}

void
command_write_failed(struct tool *t, int error)
{
	tool_end(t, EX_TEMPFAIL, "the database cannot be written: %s%s",
	    strerror(-error),
	    error == -ENOSPC ? ": less than database_min_free is left on the "
			       "file system of state_directory"
			     : "");
}

void
command_failed(struct tool *t, struct change **c, int error)
{
	change_abort(c);
	if (error == -EMSGSIZE) {
		tool_end(t, EX_DATAERR, "a value is too long");
	} else {
		command_write_failed(t, error);
	}
}

bool
command_commit(struct tool *t, struct change **c)
{
	int r = change_commit(c);

	if (r < 0) {
		command_failed(t, c, r);
	}
	return r == 0;
}

const struct account *
command_account(struct tool *t)
{
	struct str text = str_of(tool_arg(t, "account"));
	const struct account *a;
	struct name n;
	char safe[160];

	if (name_parse(text, &n) < 0) {
		tool_end(t, EX_DATAERR,
		    "\"%s\" is no account name: use a-z 0-9 . _ -, at most 63",
		    str_safe(safe, sizeof(safe), text));
		return NULL;
	}
	a = model_account_named(accountd.model, text);
	if (a == NULL) {
		tool_end(t, EX_NOUSER, "there is no account %s",
		    str_safe(safe, sizeof(safe), text));
	}
	return a;
}

const struct account *
command_main_account(struct tool *t)
{
	const struct account *a = command_account(t);

	if (a != NULL && a->r.parent != 0) {
		tool_end(t, EX_DATAERR,
		    "%s is a subaccount: domains belong to the whole account",
		    a->full_name);
		return NULL;
	}
	return a;
}

uint32_t
command_number(const struct tool *t, const char *name)
{
	const json_t *v = json_object_get(tool_args(t), name);
	uint64_t n = 0;

	if (json_is_integer(v) && json_integer_value(v) > 0 &&
	    json_integer_value(v) <= UINT32_MAX) {
		return (uint32_t)json_integer_value(v);
	}
	return str_u64(str_of(tool_arg(t, name)), UINT32_MAX, &n) < 0
	    ? 0
	    : (uint32_t)n;
}

json_t *
command_text(struct str s)
{
	json_t *v = json_stringn(s.p != NULL ? s.p : "", s.len);
	autofree char *safe = NULL;

	if (v == NULL) {
		safe = mem_alloc(s.len + 1);
		v = json_string(str_safe(safe, s.len + 1, s));
	}
	return v;
}

json_t *
command_time(uint64_t us)
{
	time_t t = (time_t)(us / US_PER_S);
	struct tm tm = { 0 };
	char text[32];

	if (us == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
		return json_null();
	}
	return json_string(text);
}

void
command_ids(const struct account *a, uint32_t *account, uint32_t *sub)
{
	*account = a->r.parent != 0 ? a->r.parent : a->r.id;
	*sub = a->r.parent != 0 ? a->r.id : 0;
}

json_t *
command_name(uint32_t account, uint32_t sub)
{
	const struct account *a =
	    model_account(accountd.model, sub != 0 ? sub : account);

	return json_string(a != NULL ? a->full_name : "");
}

void
commands_serve(struct tool *t)
{
	static const struct command *const tables[] = { account_commands,
		key_commands, domain_commands, hook_commands, suppress_commands,
		source_commands, explain_commands, backup_commands };

	for (size_t i = 0; i < array_len(tables); i++) {
		for (const struct command *c = tables[i]; c->fn != NULL; c++) {
			if (strcmp(c->name, tool_command(t)) == 0) {
				c->fn(t);
				return;
			}
		}
	}
	tool_end(t, EX_USAGE, "accountd knows no such command");
}
