/* pbtls(1): sites whose TLS is required because it has proven itself. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "client.h"

static const char usage[] =
    "usage: pbtls [-c DIR] [--json] list [-a]\n"
    "       pbtls [-c DIR] [--json] why|pin|pardon SITE\n"
    "       pbtls [-c DIR] [--json] export\n";

static void
print_row(json_t *s, void *arg)
{
	(void)arg;
	printf("%-9s %8lld %5lld %6lld  %s%s\n", client_str(s, "state"),
	    (long long)client_int(s, "successes"),
	    (long long)client_int(s, "days"),
	    (long long)client_int(s, "violations"), client_str(s, "site"),
	    json_is_true(json_object_get(s, "waits")) ? " (mail waits)" : "");
}

static void
print_time(const char *what, json_t *s, const char *name)
{
	time_t t = (time_t)client_int(s, name);
	char text[32];
	struct tm tm;

	if (t != 0 && gmtime_r(&t, &tm) != NULL) {
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		printf("  %s %s\n", what, text);
	}
}

static void
print_count(json_t *s, const char *name, const char *needed)
{
	printf("  %s %lld, %lld needed\n", name, (long long)client_int(s, name),
	    (long long)client_int(s, needed));
}

static void
print_site(json_t *s, void *arg)
{
	(void)arg;
	printf("%s: %s\n", client_str(s, "site"), client_str(s, "state"));
	print_count(s, "successes", "successes_needed");
	print_count(s, "days", "days_needed");
	print_count(s, "sources", "sources_needed");
	print_time("first", s, "first");
	print_time("required since", s, "learned");
	if (client_int(s, "violations") > 0) {
		printf("  violations %lld\n",
		    (long long)client_int(s, "violations"));
		print_time("last violation", s, "violated");
	}
	if (json_is_true(json_object_get(s, "waits"))) {
		printf("  mail waits until TLS works again\n");
	}
}

/* As smtp_tls_policy takes it. */
static void
print_line(json_t *s, void *arg)
{
	(void)arg;
	printf("%s encrypt\n", client_str(s, "site"));
}

static const struct verb {
	const char *name;
	const char *command;
	void (*print)(json_t *line, void *arg);
	bool has_site;
} verbs[] = {
	{ "list", "tls.list", print_row, false },
	{ "export", "tls.list", print_line, false },
	{ "why", "tls.why", print_site, true },
	{ "pin", "tls.pin", print_site, true },
	{ "pardon", "tls.pardon", print_site, true },
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
	if (verb->has_site) {
		if (argc != 3 ||
		    json_object_set_new(args, "site", json_string(argv[2])) <
			0) {
			client_usage(NULL);
		}
	} else if (argc == 3 && verb->print == print_row &&
	    strcmp(argv[2], "-a") == 0) {
		(void)json_object_set_new(args, "all", json_true());
	} else if (argc != 2) {
		client_usage(NULL);
	}
	return client_call("qmgr", verb->command, args,
	    client_wants_json() ? NULL : verb->print, NULL);
}
