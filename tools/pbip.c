/* pbip(1): source addresses of deliveries. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "domain.h"

static const char usage[] =
    "usage: pbip [-c DIR] [--json] add ADDRESS NAME [setting=value ...]\n"
    "       pbip [-c DIR] [--json] list [POOL]\n"
    "       pbip [-c DIR] [--json] show|check|delete ADDRESS\n"
    "       pbip [-c DIR] [--json] set ADDRESS setting=value ...\n"
    "settings: ehlo=NAME name=NAME pool=POOL warmup=on|off|N,N,...\n";

/* ---- the address on this machine ------------------------------------------
 */

/* Whether a connection can come from the address: 0 or -errno. */
static int
try_bind(const char *address)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct domain_ip ip;
	int fd;
	int r;

	if (domain_ip_parse(address, strlen(address), &ip) < 0) {
		return -EINVAL;
	}
	memcpy(&in6.sin6_addr, ip.addr, sizeof(in6.sin6_addr));
	memcpy(&in.sin_addr, ip.addr, sizeof(in.sin_addr));
	fd = socket(ip.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	r = ip.family == AF_INET6
	    ? bind(fd, (const struct sockaddr *)&in6, sizeof(in6))
	    : bind(fd, (const struct sockaddr *)&in, sizeof(in));
	r = r < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

static const char *
bind_text(int error)
{
	return error == 0	      ? "ok"
	    : error == -EADDRNOTAVAIL ? "no interface of this machine has it"
				      : strerror(-error);
}

/* ---- output ----------------------------------------------------------------
 */

/* One word about the warm-up. */
static void
print_warmup_word(const json_t *warmup)
{
	if (!json_is_object(warmup)) {
		printf("%-12s", "");
	} else if (strcmp(client_str(warmup, "state"), "warm") == 0) {
		printf("%-12s", "warm");
	} else {
		char day[32];

		snprintf(day, sizeof(day), "day %lld/%lld",
		    (long long)client_int(warmup, "day"),
		    (long long)client_int(warmup, "days"));
		printf("%-12s", day);
	}
}

static void
print_row(json_t *s, void *arg)
{
	(void)arg;
	printf("%-24s %-32s %-12s %-8s ", client_str(s, "address"),
	    client_str(s, "name"), client_str(s, "pool"),
	    client_str(s, "state"));
	print_warmup_word(json_object_get(s, "warmup"));
	printf(" %s\n", client_str(s, "reason"));
}

static void
print_forecast(json_t *warmup)
{
	json_t *o;
	size_t i;

	json_array_foreach(json_object_get(warmup, "today"), i, o)
	{
		printf("today at %s: %lld of %lld tried, %lld delivered, %lld "
		       "put off, %lld complaints\n",
		    client_str(o, "provider"),
		    (long long)client_int(o, "tried"),
		    (long long)client_int(warmup, "ceiling"),
		    (long long)client_int(o, "delivered"),
		    (long long)client_int(o, "deferred"),
		    (long long)client_int(o, "complaints"));
	}
	printf("forecast, if every day counts:\n");
	json_array_foreach(json_object_get(warmup, "forecast"), i, o)
	{
		printf("  day %-3lld %s %10lld a provider\n",
		    (long long)client_int(o, "day"), client_str(o, "date"),
		    (long long)client_int(o, "ceiling"));
	}
	printf("  warm    %s\n", client_str(warmup, "warm_on"));
}

static void
print_warmup(json_t *warmup)
{
	if (!json_is_object(warmup)) {
		printf("warmup = off\n");
	} else if (strcmp(client_str(warmup, "state"), "warm") == 0) {
		printf("warmup = warm since %s\n", client_str(warmup, "since"));
	} else {
		printf("warmup = day %lld of %lld, %lld recipients a provider",
		    (long long)client_int(warmup, "day"),
		    (long long)client_int(warmup, "days"),
		    (long long)client_int(warmup, "ceiling"));
		if (client_int(warmup, "held") > 0) {
			printf(", held for %lld days",
			    (long long)client_int(warmup, "held"));
		}
		printf("\n");
		if (client_str(warmup, "verdict")[0] != '\0') {
			printf(
			    "yesterday: %s\n", client_str(warmup, "verdict"));
		}
		if (json_object_get(warmup, "forecast") != NULL) {
			print_forecast(warmup);
		}
	}
}

static void
print_source(json_t *s, void *arg)
{
	static const char *const names[] = { "address", "name", "ehlo", "pool",
		"state", "reason", "created", "checked", "since", "ready" };

	(void)arg;
	for (size_t i = 0; i < array_len(names); i++) {
		if (json_is_string(json_object_get(s, names[i]))) {
			printf("%s = %s\n", names[i], client_str(s, names[i]));
		}
	}
	print_warmup(json_object_get(s, "warmup"));
}

/* What the check found; arg: the error of bind. */
static void
print_check(json_t *s, void *arg)
{
	const int *error = arg;
	const char *dns = json_is_true(json_object_get(s, "in_service"))
	    ? "ok"
	    : client_str(s, "reason");

	if (client_wants_json()) {
		(void)json_object_set_new(s, "dns", json_string(dns));
		(void)json_object_set_new(
		    s, "bind", json_string(bind_text(*error)));
		(void)json_dumpf(s, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("dns: %s\nbind: %s\nstate: %s\n", dns, bind_text(*error),
	    client_str(s, "state"));
}

/* ---- commands --------------------------------------------------------------
 */

static const struct verb {
	const char *name;
	const char *command;
	int least; /* operands that are no settings */
	int most;
	bool has_settings;
	const char *operands[2];
	void (*print)(json_t *line, void *arg);
} verbs[] = {
	{ "add", "source.add", 2, 2, true, { "address", "name" },
	    client_print_nothing },
	{ "list", "source.list", 0, 1, false, { "pool", NULL }, print_row },
	{ "show", "source.show", 1, 1, false, { "address", NULL },
	    print_source },
	{ "set", "source.set", 1, 1, true, { "address", NULL },
	    client_print_nothing },
	{ "check", "source.check", 1, 1, false, { "address", NULL },
	    print_check },
	{ "delete", "source.delete", 1, 1, false, { "address", NULL },
	    client_print_nothing },
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

static json_t *
make_args(const struct verb *verb, int argc, char **argv)
{
	json_t *args = json_object();
	int n = argc < verb->most ? argc : verb->most;

	if (argc < verb->least || (!verb->has_settings && argc > verb->most) ||
	    (strcmp(verb->name, "set") == 0 && argc < 2)) {
		client_usage(NULL);
	}
	for (int i = 0; i < n; i++) {
		client_set(args, verb->operands[i], argv[i]);
	}
	if (verb->has_settings) {
		(void)json_object_set_new(
		    args, "settings", client_settings(argv + n, ""));
	}
	return args;
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	json_t *args;
	bool is_check;
	int error = 0;
	int status;

	client_init(&argc, argv, usage);
	verb = find_verb(argv[1]);
	args = make_args(verb, argc - 2, argv + 2);
	is_check = strcmp(verb->name, "check") == 0;
	if (is_check || strcmp(verb->name, "add") == 0) {
		error = try_bind(argv[2]);
	}
	status = client_call("accountd", verb->command, args,
	    client_wants_json() && !is_check ? NULL : verb->print, &error);
	if (error != 0 && status != EX_NOUSER && error != -EINVAL) {
		fprintf(stderr, "pbip: %s: %s\n", argv[2], bind_text(error));
		status = is_check && status == EX_OK ? EX_DATAERR : status;
	}
	return status;
}
