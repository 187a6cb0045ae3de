/* pbdomain(1): sending domains of accounts and their DNS records. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

static const char usage[] =
    "usage: pbdomain [-c DIR] [--json] add|show|verify|delete ACCOUNT DOMAIN\n"
    "       pbdomain [-c DIR] [--json] rotate ACCOUNT DOMAIN [--cancel]\n"
    "       pbdomain [-c DIR] [--json] set ACCOUNT DOMAIN rotate_after=TIME\n"
    "       pbdomain [-c DIR] [--json] list [ACCOUNT]\n";

/* The longest string within a TXT record (RFC 1035 section 3.3). */
#define TXT_STRING_MAX 255

static void
print_txt(const char *value)
{
	size_t n = strlen(value);

	for (size_t at = 0; at == 0 || at < n; at += TXT_STRING_MAX) {
		fputs(at == 0 ? "\"" : " \"", stdout);
		for (size_t i = at; i < n && i < at + TXT_STRING_MAX; i++) {
			if (value[i] == '"' || value[i] == '\\') {
				putchar('\\');
			}
			putchar(value[i]);
		}
		putchar('"');
	}
}

static void
print_record(json_t *r)
{
	bool required = json_is_true(json_object_get(r, "required"));
	const char *reason = client_str(r, "reason");

	/* A record that is to go is no line of the zone. */
	bool is_gone = strcmp(client_str(r, "purpose"), "dkim-remove") == 0;

	printf("; %s%s: %s%s%s\n", client_str(r, "purpose"),
	    required ? " (required)" : "", client_str(r, "status"),
	    reason[0] != '\0' ? ", " : "", reason);
	printf("%s%s\tIN\t%s\t", is_gone ? "; " : "", client_str(r, "name"),
	    client_str(r, "type"));
	if (strcmp(client_str(r, "type"), "TXT") == 0) {
		print_txt(client_str(r, "value"));
	} else {
		fputs(client_str(r, "value"), stdout);
	}
	putchar('\n');
}

/* Nothing for a domain whose keys stay. */
static void
print_rotation(json_t *d)
{
	static const struct {
		const char *rotation;
		const char *text;
		const char *due;
	} rows[] = {
		{ "publish", "publish the records of dkim-next", NULL },
		{ "wait", "the records of dkim-next are seen",
		    "its keys sign from" },
		{ "keep", "leave the records of dkim-last published",
		    "at least until" },
		{ "remove", "remove the records of dkim-remove", NULL },
		{ "cancel", "its keys stay, the next ones are deleted", NULL },
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		if (strcmp(client_str(d, "rotation"), rows[i].rotation) == 0) {
			printf("; rotation: %s since %s: %s%s%s%s%s\n",
			    rows[i].rotation, client_str(d, "rotation_since"),
			    rows[i].text, rows[i].due != NULL ? ", " : "",
			    rows[i].due != NULL ? rows[i].due : "",
			    rows[i].due != NULL ? " " : "",
			    rows[i].due != NULL ? client_str(d, "rotation_due")
						: "");
		}
	}
}

static void
print_domain(json_t *d, void *arg)
{
	json_t *r;
	size_t i;

	(void)arg;
	printf("; %s of %s: %s\n", client_str(d, "domain"),
	    client_str(d, "account"), client_str(d, "state"));
	print_rotation(d);
	json_array_foreach(json_object_get(d, "records"), i, r)
	{
		print_record(r);
	}
}

static void
print_checks(json_t *d, void *arg)
{
	json_t *r;
	size_t i;

	(void)arg;
	json_array_foreach(json_object_get(d, "records"), i, r)
	{
		const char *reason = client_str(r, "reason");

		printf("%-12s %-40s %s%s%s\n", client_str(r, "purpose"),
		    client_str(r, "name"), client_str(r, "status"),
		    reason[0] != '\0' ? ": " : "", reason);
	}
	printf("%s is %s\n", client_str(d, "domain"), client_str(d, "state"));
}

static void
print_row(json_t *d, void *arg)
{
	(void)arg;
	printf("%-32s %-40s %-8s %s\n", client_str(d, "account"),
	    client_str(d, "domain"), client_str(d, "state"),
	    client_str(d, "checked"));
}

static const struct verb {
	const char *name;
	const char *command;
	void (*print)(json_t *line, void *arg);
} verbs[] = {
	{ "add", "domain.add", print_domain },
	{ "list", "domain.list", print_row },
	{ "show", "domain.show", print_domain },
	{ "verify", "domain.verify", print_checks },
	{ "rotate", "domain.rotate", print_domain },
	{ "set", "domain.set", client_print_nothing },
	{ "delete", "domain.delete", client_print_nothing },
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
set_rotate_after(json_t *args, const char *setting)
{
	static const char name[] = "rotate_after=";

	if (strncmp(setting, name, sizeof(name) - 1) != 0) {
		client_usage("the only setting is rotate_after");
	}
	client_set(args, "rotate_after", setting + sizeof(name) - 1);
}

/* What follows the domain's name. */
static void
take_rest(const char *verb, const char *rest, json_t *args)
{
	if (strcmp(verb, "set") == 0 && rest != NULL) {
		set_rotate_after(args, rest);
	} else if (strcmp(verb, "rotate") == 0 && rest != NULL &&
	    strcmp(rest, "--cancel") == 0) {
		(void)json_object_set_new(args, "cancel", json_true());
	} else if (strcmp(verb, "set") == 0 || rest != NULL) {
		client_usage(NULL);
	}
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	json_t *args = json_object();

	client_init(&argc, argv, usage);
	verb = find_verb(argv[1]);
	if (verb->print == print_row ? argc > 3 : argc < 4 || argc > 5) {
		client_usage(NULL);
	}
	if (verb->print != print_row) {
		take_rest(verb->name, argv[4], args);
	}
	if (argc > 2) {
		client_set(args, "account", argv[2]);
	}
	if (argc > 3) {
		client_set(args, "domain", argv[3]);
	}
	return client_call("accountd", verb->command, args,
	    client_wants_json() ? NULL : verb->print, NULL);
}
