/* pbkey(1): API keys of accounts. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

static const char usage[] =
    "usage: pbkey [-c DIR] [--json] add ACCOUNT[/SUB] [--label TEXT]\n"
    "             [--networks ADDRESS/BITS,...] [--methods METHOD,...]\n"
    "             [--from DOMAIN|ADDRESS] [--expires TIME] [--test]\n"
    "             [--subaccount SUB]\n"
    "       pbkey [-c DIR] [--json] set [ACCOUNT] ID [--label TEXT]\n"
    "             [--networks ADDRESS/BITS,...] [--methods METHOD,...]\n"
    "             [--from DOMAIN|ADDRESS] [--expires TIME]\n"
    "       pbkey [-c DIR] [--json] list [ACCOUNT[/SUB]]\n"
    "       pbkey [-c DIR] [--json] show|revoke [ACCOUNT] ID\n"
    "       pbkey [-c DIR] [--json] revoke ACCOUNT[/SUB] ALL\n";

static void
print_new(json_t *k, void *arg)
{
	(void)arg;
	printf("username: %s\npassword: %s\n", client_str(k, "username"),
	    client_str(k, "password"));
}

static void
print_row(json_t *k, void *arg)
{
	(void)arg;
	printf("%-8lld %-24s %-8s %-20s %s%s\n", (long long)client_int(k, "id"),
	    client_str(k, "account"), client_str(k, "status"),
	    client_str(k, "created"), client_str(k, "label"),
	    json_is_true(json_object_get(k, "test")) ? " (test)" : "");
}

static void
print_key(json_t *k, void *arg)
{
	static const char *const names[] = { "account", "status", "label",
		"networks", "methods", "from", "created", "expires",
		"revoked" };
	json_t *use;
	size_t i;

	(void)arg;
	printf("id = %lld\n", (long long)client_int(k, "id"));
	for (i = 0; i < array_len(names); i++) {
		printf("%s = %s\n", names[i], client_str(k, names[i]));
	}
	printf("test = %s\n",
	    json_is_true(json_object_get(k, "test")) ? "yes" : "no");
	json_array_foreach(json_object_get(k, "used_from"), i, use)
	{
		printf("used from %s: %lld times, first %s, last %s\n",
		    client_str(use, "address"),
		    (long long)client_int(use, "count"),
		    client_str(use, "first"), client_str(use, "last"));
	}
}

/* Options into args; returns the index of the first operand. What a key is
 * for (subaccount, test) stays as it was made. */
static int
take_options(int argc, char **argv, bool is_new, json_t *args)
{
	static const struct option options[] = {
		{ "label", required_argument, NULL, 'l' },
		{ "networks", required_argument, NULL, 'n' },
		{ "methods", required_argument, NULL, 'm' },
		{ "from", required_argument, NULL, 'f' },
		{ "expires", required_argument, NULL, 'e' },
		{ "subaccount", required_argument, NULL, 's' },
		{ "test", no_argument, NULL, 't' },
		{ 0 },
	};
	int index = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (c == '?') {
			client_usage(NULL);
		}
		if (!is_new && (c == 't' || c == 's')) {
			client_usage("a key's subaccount and test mode stay: "
				     "make another key");
		}
		if (c == 't') {
			(void)json_object_set_new(args, "test", json_true());
		} else {
			client_set(args, options[index].name, optarg);
		}
	}
	return optind;
}

static const struct verb {
	const char *name;
	const char *command;
	void (*print)(json_t *line, void *arg);
} verbs[] = {
	{ "add", "key.add", print_new },
	{ "set", "key.set", client_print_nothing },
	{ "list", "key.list", print_row },
	{ "show", "key.show", print_key },
	{ "revoke", "key.revoke", client_print_nothing },
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

static void
take_operands(const struct verb *verb, int n, char **operand, json_t *args)
{
	bool by_id =
	    verb->print == print_key || verb->print == client_print_nothing;

	if (by_id) {
		if (n < 1 || n > 2) {
			client_usage(NULL);
		}
		client_set(args, "id", operand[n - 1]);
		n--;
		if (n == 0 && strcmp(operand[n], "ALL") == 0) {
			client_usage("ALL needs the account");
		}
	} else if (n > 1 || (n == 0 && verb->print == print_new)) {
		client_usage(NULL);
	}
	if (n == 1) {
		client_set(args, "account", operand[0]);
	}
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	json_t *args = json_object();
	int first = 1;

	client_init(&argc, argv, usage);
	verb = find_verb(argv[1]);
	if (strcmp(verb->name, "add") == 0) {
		first = take_options(argc - 1, argv + 1, true, args);
	} else if (strcmp(verb->name, "set") == 0) {
		first = take_options(argc - 1, argv + 1, false, args);
		if (json_object_size(args) == 0) {
			client_usage("what is to be set?");
		}
	}
	take_operands(verb, argc - 1 - first, argv + 1 + first, args);
	return client_call("accountd", verb->command, args,
	    client_wants_json() ? NULL : verb->print, NULL);
}
