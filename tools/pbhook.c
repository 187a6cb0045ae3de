/* pbhook(1): endpoints that get an account's events. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

static const char usage[] =
    "usage: pbhook [-c DIR] [--json] add ACCOUNT[/SUB] URL [--kinds KIND,...]\n"
    "              [--format cloudmailin|mandrill]\n"
    "       pbhook [-c DIR] [--json] list [ACCOUNT[/SUB]]\n"
    "       pbhook [-c DIR] [--json] enable|disable|delete ACCOUNT[/SUB] ID|URL\n"
    "       pbhook [-c DIR] [--json] rotate|settle ACCOUNT[/SUB] ID|URL\n"
    "       pbhook [-c DIR] [--json] status [ACCOUNT]\n"
    "       pbhook [-c DIR] [--json] test ACCOUNT[/SUB] ID|URL\n"
    "       pbhook [-c DIR] [--json] replay ACCOUNT[/SUB] ID|URL since=TIME|id=EVENT\n"
    "       pbhook [-c DIR] [--json] deadletter list|replay|delete\n"
    "              ACCOUNT[/SUB] ID|URL\n";

static void
print_new(json_t *h, void *arg)
{
	(void)arg;
	printf("id: %lld\nsecret: %s\n", (long long)client_int(h, "id"),
	    client_str(h, "secret"));
}

static void
print_row(json_t *h, void *arg)
{
	json_t *kind;
	size_t i;

	(void)arg;
	printf("%-8lld %-24s %-8s %-12s %s", (long long)client_int(h, "id"),
	    client_str(h, "account"), client_str(h, "status"),
	    client_str(h, "format"), client_str(h, "url"));
	json_array_foreach(json_object_get(h, "kinds"), i, kind)
	{
		printf("%s%s", i == 0 ? " " : ",", json_string_value(kind));
	}
	if (client_str(h, "reason")[0] != '\0') {
		printf(" (%s)", client_str(h, "reason"));
	}
	putchar('\n');
}

static void
print_status(json_t *h, void *arg)
{
	(void)arg;
	printf("%-8lld %-24s %-9s sent %lld, failed %lld, dead %lld, gaps "
	       "%lld %s %s\n",
	    (long long)client_int(h, "hook"), client_str(h, "account"),
	    client_str(h, "state"), (long long)client_int(h, "sent"),
	    (long long)client_int(h, "failed"),
	    (long long)client_int(h, "dead"), (long long)client_int(h, "gaps"),
	    client_str(h, "url"), client_str(h, "last_error"));
}

static void
print_test(json_t *h, void *arg)
{
	(void)arg;
	printf("answered %lld after %lld ms\n",
	    (long long)client_int(h, "status"), (long long)client_int(h, "ms"));
}

static void
print_dead(json_t *h, void *arg)
{
	(void)arg;
	printf("%-11s %8lld events, from %s to %s, given up %s\n",
	    client_str(h, "state"), (long long)client_int(h, "events"),
	    client_str(h, "first"), client_str(h, "last"),
	    client_str(h, "given_up"));
}

static void
print_count(json_t *h, void *arg)
{
	(void)arg;
	printf("%lld events\n", (long long)client_int(h, "events"));
	if (client_int(h, "gone") != 0) {
		printf("%lld events are gone: event_retention_time or "
		       "event_retention_size removed them\n",
		    (long long)client_int(h, "gone"));
	}
}

/* Options into args; returns the index of the first operand. */
static int
take_options(int argc, char **argv, json_t *args)
{
	static const struct option options[] = {
		{ "kinds", required_argument, NULL, 'k' },
		{ "format", required_argument, NULL, 'f' },
		{ 0 },
	};
	int index = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (c == '?') {
			client_usage(NULL);
		}
		client_set(args, options[index].name, optarg);
	}
	return optind;
}

static const struct verb {
	const char *name;
	const char *service;
	const char *command;
	const char *second; /* name of the second operand; NULL: none */
	const char *third;
	void (*print)(json_t *line, void *arg);
} verbs[] = {
	{ "add", "accountd", "hook.add", "url", NULL, print_new },
	{ "list", "accountd", "hook.list", NULL, NULL, print_row },
	{ "enable", "accountd", "hook.enable", "hook", NULL,
	    client_print_nothing },
	{ "disable", "accountd", "hook.disable", "hook", NULL,
	    client_print_nothing },
	{ "rotate", "accountd", "hook.rotate", "hook", NULL, print_new },
	{ "settle", "accountd", "hook.settle", "hook", NULL,
	    client_print_nothing },
	{ "delete", "accountd", "hook.delete", "hook", NULL,
	    client_print_nothing },
	{ "status", "webhookd", "hook.status", NULL, NULL, print_status },
	{ "test", "webhookd", "hook.test", "hook", NULL, print_test },
	{ "replay", "webhookd", "hook.replay", "hook", "since", print_status },
};

/* The words behind "deadletter". */
static const struct verb dead_verbs[] = {
	{ "list", "webhookd", "hook.deadletter", "hook", NULL, print_dead },
	{ "replay", "webhookd", "hook.deadletter", "hook", NULL, print_count },
	{ "delete", "webhookd", "hook.deadletter", "hook", NULL, print_count },
};

/* Only the account may be left out, where it is the only operand. */
static bool
fits(const struct verb *verb, int n)
{
	int most = 1 + (verb->second != NULL) + (verb->third != NULL);

	return n == most || (most == 1 && n == 0);
}

static const struct verb *
find_in(const struct verb *list, size_t n, const char *name)
{
	for (size_t i = 0; name != NULL && i < n; i++) {
		if (strcmp(name, list[i].name) == 0) {
			return &list[i];
		}
	}
	client_usage(name == NULL ? NULL : "unknown command");
}

/* Takes the verb's words off the front of the command line. */
static const struct verb *
take_verb(int *argc, char ***argv, json_t *args)
{
	const struct verb *verb;

	if (*argc > 1 && strcmp((*argv)[1], "deadletter") == 0) {
		(*argc)--;
		(*argv)++;
		verb = find_in(dead_verbs, array_len(dead_verbs), (*argv)[1]);
		client_set(args, "verb", verb->name);
	} else {
		verb = find_in(verbs, array_len(verbs), (*argv)[1]);
	}
	(*argc)--;
	(*argv)++;
	return verb;
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	json_t *args = json_object();
	char **operand;
	int n;

	client_init(&argc, argv, usage);
	verb = take_verb(&argc, &argv, args);
	n = take_options(argc, argv, args);
	operand = argv + n;
	n = argc - n;
	if (!fits(verb, n)) {
		client_usage(NULL);
	}
	if (n > 0) {
		client_set(args, "account", operand[0]);
	}
	if (n > 1) {
		client_set(args, verb->second, operand[1]);
	}
	if (n > 2) {
		client_set(args, verb->third, operand[2]);
	}
	return client_call(verb->service, verb->command, args,
	    client_wants_json() ? NULL : verb->print, NULL);
}
