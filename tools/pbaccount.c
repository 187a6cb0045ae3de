/* pbaccount(1): accounts and subaccounts. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

static const char usage[] =
    "usage: pbaccount [-c DIR] [--json] add NAME[/SUB] [setting=value ...]\n"
    "       pbaccount [-c DIR] [--json] list\n"
    "       pbaccount [-c DIR] [--json] show|why NAME[/SUB]\n"
    "       pbaccount [-c DIR] [--json] set NAME[/SUB] setting=value ...\n"
    "       pbaccount [-c DIR] [--json] alerts NAME[/SUB] [alert=limit ...]\n"
    "       pbaccount [-c DIR] [--json] pause|resume|delete NAME[/SUB]\n";

static void
print_row(json_t *a, void *arg)
{
	(void)arg;
	printf("%-32s %-7s %10lld/h  %s\n", client_str(a, "name"),
	    client_str(a, "status"), (long long)client_int(a, "quota"),
	    client_str(a, "notes"));
}

/* A table: counters in lines, periods in columns. */
static void
print_statistics(json_t *all)
{
	static const char *const periods[] = { "hour", "day", "week", "month",
		"total" };
	const char *name;
	json_t *counts;

	printf("%-16s", "statistics");
	for (size_t i = 0; i < array_len(periods); i++) {
		printf(" %11s", periods[i]);
	}
	putchar('\n');
	json_object_foreach(all, name, counts)
	{
		printf("  %-14s", name);
		for (size_t i = 0; i < array_len(periods); i++) {
			printf(" %11lld",
			    (long long)client_int(counts, periods[i]));
		}
		putchar('\n');
	}
}

static void
print_list(const char *name, const json_t *list)
{
	json_t *word;
	size_t i;

	printf("%s =", name);
	json_array_foreach(list, i, word)
	{
		printf(" %s", json_string_value(word));
	}
	putchar('\n');
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
		} else if (json_is_object(value)) {
			print_statistics(value);
		} else if (json_is_array(value)) {
			print_list(name, value);
		} else {
			printf("%s = %s\n", name, client_str(a, name));
		}
	}
}

/* The ledger's lines, and the last one with their sum. */
static void
print_why(json_t *l, void *arg)
{
	double points = (double)client_int(l, "millipoints") / 1000;

	(void)arg;
	if (json_object_get(l, "entry") != NULL) {
		printf("%s %-12s %10lld x %5.3f %+10.3f\n",
		    client_str(l, "day"), client_str(l, "entry"),
		    (long long)client_int(l, "count"),
		    (double)client_int(l, "weight_ppm") / 1e6, points);
		return;
	}
	printf("%-10s %-12s %18s %+10.3f\n", "", "reputation", "=", points);
	if (client_int(l, "quota") == 0) {
		printf("no quota, by %s\n", client_str(l, "quota_by"));
	} else {
		printf("quota %lld/h, by %s\n",
		    (long long)client_int(l, "quota"),
		    client_str(l, "quota_by"));
	}
}

static void
print_alert(json_t *l, void *arg)
{
	(void)arg;
	if (json_object_get(l, "alert") == NULL) {
		printf("contact: %s\n",
		    client_str(l, "contact")[0] != '\0'
			? client_str(l, "contact")
			: "nobody");
		return;
	}
	printf("%-16s %10s  %-5s by %s\n", client_str(l, "alert"),
	    client_str(l, "limit"), client_str(l, "state"),
	    client_str(l, "by"));
}

static const struct verb {
	const char *name;
	const char *command;
	bool has_account;
	bool has_settings;
	void (*print)(json_t *line, void *arg);
} verbs[] = {
	{ "add", "account.add", true, true, client_print_nothing },
	{ "list", "account.list", false, false, print_row },
	{ "show", "account.show", true, false, print_account },
	{ "why", "account.why", true, false, print_why },
	{ "set", "account.set", true, true, client_print_nothing },
	{ "alerts", "account.alerts", true, true, print_alert },
	{ "pause", "account.pause", true, false, client_print_nothing },
	{ "resume", "account.resume", true, false, client_print_nothing },
	{ "delete", "account.delete", true, false, client_print_nothing },
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
	bool is_alerts;

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
	is_alerts = strcmp(verb->name, "alerts") == 0;
	if (verb->has_settings) {
		(void)json_object_set_new(args, "settings",
		    client_settings(argv + 3, is_alerts ? "alert_" : ""));
	}
	/* With limits it is another way to say "set". */
	is_alerts = is_alerts && argc > 3;
	return client_call("accountd",
	    is_alerts ? "account.set" : verb->command, args,
	    client_wants_json() ? NULL
		: is_alerts	? client_print_nothing
				: verb->print,
	    NULL);
}
