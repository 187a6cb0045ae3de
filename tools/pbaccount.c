/* pbaccount(1): accounts and subaccounts. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

static const char usage[] =
    "usage: pbaccount [-c DIR] [--json] add NAME[/SUB] [setting=value ...]\n"
    "       pbaccount [-c DIR] [--json] list\n"
    "       pbaccount [-c DIR] [--json] show NAME[/SUB]\n"
    "       pbaccount [-c DIR] [--json] set NAME[/SUB] setting=value ...\n"
    "       pbaccount [-c DIR] [--json] pause|resume|delete NAME[/SUB]\n";

static void
print_row(json_t *a, void *arg)
{
	(void)arg;
	printf("%-32s %-7s %10lld/h  %s\n", client_str(a, "name"),
	    client_str(a, "status"), (long long)client_int(a, "quota"),
	    client_str(a, "notes"));
}

static void
print_account(json_t *a, void *arg)
{
	const char *name;
	json_t *value;

	(void)arg;
	json_object_foreach(a, name, value)
	{
		if (json_is_integer(value)) {
			printf("%s = %lld\n", name,
			    (long long)json_integer_value(value));
		} else {
			printf("%s = %s\n", name, client_str(a, name));
		}
	}
}

/* Nothing to show: the exit status says it. */
static void
print_nothing(json_t *a, void *arg)
{
	(void)a;
	(void)arg;
}

static json_t *
parse_settings(char **argv)
{
	json_t *settings = json_object();

	for (; *argv != NULL; argv++) {
		char *equals = strchr(*argv, '=');
		json_t *value;

		if (equals == NULL || equals == *argv) {
			client_usage("a setting is name=value");
		}
		*equals = '\0';
		value = json_string(equals + 1);
		if (value == NULL ||
		    json_object_set_new(settings, *argv, value) < 0) {
			client_die(EX_DATAERR, "%s: not UTF-8", *argv);
		}
	}
	return settings;
}

static const struct verb {
	const char *name;
	const char *command;
	bool has_account;
	bool has_settings;
	void (*print)(json_t *line, void *arg);
} verbs[] = {
	{ "add", "account.add", true, true, print_nothing },
	{ "list", "account.list", false, false, print_row },
	{ "show", "account.show", true, false, print_account },
	{ "set", "account.set", true, true, print_nothing },
	{ "pause", "account.pause", true, false, print_nothing },
	{ "resume", "account.resume", true, false, print_nothing },
	{ "delete", "account.delete", true, false, print_nothing },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; name != NULL && i < array_len(verbs); i++) {
		if (strcmp(name, verbs[i].name) == 0) {
			return &verbs[i];
		}
	}
	client_usage(name == NULL ? NULL : "unknown command");
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	json_t *args = json_object();

	client_init(&argc, argv, usage);
	verb = find_verb(argv[1]);
	if (verb->has_account) {
		if (argc < 3 || (!verb->has_settings && argc > 3) ||
		    (strcmp(verb->name, "set") == 0 && argc < 4)) {
			client_usage(NULL);
		}
		(void)json_object_set_new(
		    args, "account", json_string(argv[2]));
	} else if (argc > 2) {
		client_usage(NULL);
	}
	if (verb->has_settings) {
		(void)json_object_set_new(
		    args, "settings", parse_settings(argv + 3));
	}
	return client_call("accountd", verb->command, args,
	    client_wants_json() ? NULL : verb->print, NULL);
}
