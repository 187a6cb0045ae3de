/* pbtls(1): sites whose TLS is required because it has proven itself, and the
 * MTA-STS policies of domains. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "client.h"

static const char usage[] = "usage: pbtls [-c DIR] [--json] list [-a]\n"
			    "       pbtls [-c DIR] [--json] why SITE|DOMAIN\n"
			    "       pbtls [-c DIR] [--json] pin|pardon SITE\n"
			    "       pbtls [-c DIR] [--json] refresh DOMAIN\n"
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

/* ---- policies of domains ------------------------------------------------ */

static void
print_patterns(json_t *s)
{
	json_t *mx = json_object_get(s, "mx");

	for (size_t i = 0; i < json_array_size(mx); i++) {
		printf(" %s", json_string_value(json_array_get(mx, i)));
	}
	printf("\n");
}

static void
print_policy_row(json_t *s, void *arg)
{
	(void)arg;
	printf("%-9s %s, MTA-STS:", client_str(s, "mode"),
	    client_str(s, "domain"));
	print_patterns(s);
}

static void
print_policy(json_t *s, void *arg)
{
	(void)arg;
	if (client_str(s, "mode")[0] == '\0') {
		printf("%s: no MTA-STS policy\n", client_str(s, "domain"));
	} else {
		printf("%s: MTA-STS policy, mode %s%s\n",
		    client_str(s, "domain"), client_str(s, "mode"),
		    json_is_true(json_object_get(s, "valid")) ? ""
							      : ", expired");
		printf("  id %s\n  mx", client_str(s, "id"));
		print_patterns(s);
		print_time("fetched", s, "fetched");
		print_time("expires", s, "expires");
	}
	if (client_str(s, "error")[0] != '\0') {
		printf("  not fetched (id %s, failures %lld): %s\n",
		    client_str(s, "error_id"),
		    (long long)client_int(s, "failures"),
		    client_str(s, "error"));
		print_time("last tried", s, "failed");
		print_time("not again before", s, "retry");
	}
}

/* ---- verbs -------------------------------------------------------------- */

typedef void print_fn(json_t *line, void *arg);

static const struct verb {
	const char *name;
	const char *command; /* of qmgr, about sites; NULL: none */
	print_fn *print;
	const char *policy_command; /* of resolvd; NULL: none */
	print_fn *print_policy;
	bool has_name;
} verbs[] = {
	{ "list", "tls.list", print_row, "sts.list", print_policy_row, false },
	{ "export", "tls.list", print_line, NULL, NULL, false },
	{ "why", "tls.why", print_site, "sts.show", print_policy, true },
	{ "pin", "tls.pin", print_site, NULL, NULL, true },
	{ "pardon", "tls.pardon", print_site, NULL, NULL, true },
	{ "refresh", NULL, NULL, "sts.refresh", print_policy, true },
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
parse_arguments(const struct verb *verb, int argc, char **argv, json_t *args)
{
	if (verb->has_name) {
		if (argc != 3 ||
		    json_object_set_new(args, "site", json_string(argv[2])) <
			0 ||
		    json_object_set_new(args, "domain", json_string(argv[2])) <
			0) {
			client_usage(NULL);
		}
	} else if (argc == 3 && verb->print == print_row &&
	    strcmp(argv[2], "-a") == 0) {
		(void)json_object_set_new(args, "all", json_true());
	} else if (argc != 2) {
		client_usage(NULL);
	}
}

static int
call(const char *service, const char *command, json_t *args, print_fn *print)
{
	return client_call(service, command, json_incref(args),
	    client_wants_json() ? NULL : print, NULL);
}

/* A name may be a site's, a domain's or both: one that knows it is enough. */
static int
ask_both(const struct verb *verb, json_t *args)
{
	int policy =
	    call("resolvd", verb->policy_command, args, verb->print_policy);
	int site;

	if (policy != EX_OK && policy != EX_NOHOST) {
		return policy;
	}
	if (policy == EX_OK) {
		(void)json_object_set_new(args, "quiet", json_true());
	}
	site = call("qmgr", verb->command, args, verb->print);
	return verb->has_name && policy == EX_OK && site == EX_NOHOST ? EX_OK
								      : site;
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	json_t *args = json_object();
	int status;

	client_init(&argc, argv, usage);
	verb = find_verb(argv[1]);
	parse_arguments(verb, argc, argv, args);
	if (verb->policy_command == NULL) {
		status = call("qmgr", verb->command, args, verb->print);
	} else if (verb->command == NULL) {
		status = call(
		    "resolvd", verb->policy_command, args, verb->print_policy);
	} else {
		status = ask_both(verb, args);
	}
	json_decref(args);
	return status;
}
