#include "pbqueue_sites.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "buf.h"
#include "client.h"
#include "shaping.h"

/* ---- the listing -------------------------------------------------------- */

static void
print_until(const json_t *o)
{
	time_t until = (time_t)client_int(o, "until");
	char when[32] = "";
	struct tm tm;

	if (until != 0 && localtime_r(&until, &tm) != NULL) {
		(void)strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
		printf(" until %s", when);
	}
}

static void
print_effect(const json_t *e)
{
	const char *provider = client_str(e, "provider");
	const char *source = client_str(e, "source");
	const char *limits = client_str(e, "limits");
	const char *reply = client_str(e, "reply");

	printf("    %s%s%s: %s", provider[0] != '\0' ? "provider" : "site",
	    source[0] != '\0' ? " from " : "", source, client_str(e, "effect"));
	if (client_str(e, "set")[0] != '\0') {
		printf(" %s", client_str(e, "set"));
	}
	print_until(e);
	if (limits[0] != '\0') {
		printf(" (%s)", limits);
	}
	printf(" by %s%s%s\n", client_str(e, "by"),
	    reply[0] != '\0' ? ": " : "", reply);
}

static void
print_details(const json_t *s)
{
	const json_t *by = json_object_get(s, "limited_by");
	const char *limits = client_str(s, "limits");
	const char *provider = client_str(s, "provider_limits");
	json_t *e;
	size_t i;

	if (limits[0] != '\0') {
		printf("    limits: %s\n", limits);
	}
	if (provider[0] != '\0') {
		printf("    provider %s: %s\n", client_str(s, "provider"),
		    provider);
	}
	if (by != NULL) {
		printf("    held back by its %s%s: %s", client_str(by, "of"),
		    json_is_true(json_object_get(by, "from_source"))
			? " from this source"
			: "",
		    client_str(by, "what"));
		print_until(s);
		putchar('\n');
	} else if (client_int(s, "until") != 0) {
		printf("    %s", client_str(s, "state"));
		print_until(s);
		putchar('\n');
	}
	json_array_foreach(json_object_get(s, "effects"), i, e)
	{
		print_effect(e);
	}
}

static void
print_site(json_t *s, void *arg)
{
	bool *is_first = arg;
	const char *name = client_str(s, "site");

	if (*is_first) {
		printf("%-40s %-16s %-10s %8s %8s %6s %6s\n", "-Site-",
		    "-Source-", "-State-", "Queued", "Running", "Open",
		    "Window");
		*is_first = false;
	}
	if (name[0] == '\0') {
		name = client_str(s, "domain");
	}
	printf("%-40s %-16s %-10s %8lld %8lld %6lld %6.1f\n",
	    name[0] != '\0' ? name : client_str(s, "provider"),
	    client_str(s, "source"), client_str(s, "state"),
	    (long long)client_int(s, "queued"),
	    (long long)client_int(s, "running"),
	    (long long)client_int(s, "open"),
	    json_real_value(json_object_get(s, "connections")));
	print_details(s);
}

static int
sites(void)
{
	bool is_first = true;

	return client_call("qmgr", "queue.sites", json_object(),
	    client_wants_json() ? NULL : print_site, &is_first);
}

/* ---- commands ----------------------------------------------------------- */

static void
print_done(json_t *line, void *arg)
{
	const char *provider = client_str(line, "provider");

	(void)arg;
	printf("%s %s: %s\n", provider[0] != '\0' ? "provider" : "site",
	    provider[0] != '\0' ? provider : client_str(line, "site"),
	    client_str(line, "done"));
}

/* "for TIME" at the end, taken off. */
static void
take_for(int *argc, char **argv, json_t *args)
{
	uint32_t seconds;

	if (*argc < 2 || strcmp(argv[*argc - 2], "for") != 0) {
		return;
	}
	if (shaping_time(
		(struct str){ argv[*argc - 1], strlen(argv[*argc - 1]) },
		&seconds) < 0) {
		client_die(EX_USAGE,
		    "for %s: must be a time from 1s to 366d, such as 30m",
		    argv[*argc - 1]);
	}
	json_object_set_new(args, "seconds", json_integer(seconds));
	*argc -= 2;
}

static void
take_limits(int argc, char **argv, json_t *args)
{
	struct shaping_limits l = { 0 };
	struct buf words = { 0 };
	struct buf why = { 0 };

	for (int i = 0; i < argc; i++) {
		buf_puts(&words, argv[i]);
		buf_u8(&words, ' ');
	}
	if (shaping_limits_parse(&l, buf_str(&words), &why) < 0) {
		client_die(EX_USAGE, "%.*s", (int)why.len, (const char *)why.p);
	}
	json_object_set_new(
	    args, "limits", json_stringn((const char *)words.p, words.len));
	buf_fini(&words);
	buf_fini(&why);
}

static int
order(const char *verb, int argc, char **argv)
{
	json_t *args = json_object();
	char command[32];

	if (argc == 0) {
		client_usage("say which site, provider or domain");
	}
	if (json_object_set_new(args, "name", json_string(argv[0])) < 0) {
		client_die(EX_DATAERR, "the name is not UTF-8");
	}
	argc--;
	argv++;
	if (strcmp(verb, "resume") != 0) {
		take_for(&argc, argv, args);
	}
	if (strcmp(verb, "limit") == 0) {
		take_limits(argc, argv, args);
	} else if (argc != 0) {
		client_usage("only a name, and for TIME");
	}
	(void)snprintf(command, sizeof(command), "queue.%s", verb);
	return client_call("qmgr", command, args,
	    client_wants_json() ? NULL : print_done, NULL);
}

bool
pbqueue_is_sites(const char *verb)
{
	return strcmp(verb, "sites") == 0 || strcmp(verb, "suspend") == 0 ||
	    strcmp(verb, "resume") == 0 || strcmp(verb, "limit") == 0;
}

int
pbqueue_sites(int argc, char **argv)
{
	if (strcmp(argv[0], "sites") != 0) {
		return order(argv[0], argc - 1, argv + 1);
	}
	if (argc != 1) {
		client_usage("sites takes nothing more");
	}
	return sites();
}
