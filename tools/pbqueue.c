/* pbqueue(1): the queue: look, hold, release, retry, delete. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>

#include "client.h"
#include "pbqueue_sites.h"

static const char usage[] =
    "usage: pbqueue [-c DIR] -p|-j [SELECTOR...]\n"
    "       pbqueue [-c DIR] [--json] hold|release|retry|delete ID...|-|ALL\n"
    "       pbqueue [-c DIR] [--json] hold|release|retry|delete SELECTOR...\n"
    "       pbqueue [-c DIR] [--json] sites\n"
    "       pbqueue [-c DIR] [--json] suspend NAME [for TIME]\n"
    "       pbqueue [-c DIR] [--json] resume NAME\n"
    "       pbqueue [-c DIR] [--json] limit NAME LIMIT=VALUE... [for TIME]\n"
    "selectors: --account NAME[/SUB] --domain DOMAIN --site SITE\n"
    "           --sender ADDRESS --recipient ADDRESS --tag TAG\n";

#define ID_WIDTH 36
#define LINE_WIDTH 76

/* ---- the listing -------------------------------------------------------- */

struct listing {
	json_int_t messages;
	json_int_t bytes;
};

static char
mark(const char *queue)
{
	if (strcmp(queue, "active") == 0) {
		return '*';
	}
	return strcmp(queue, "hold") == 0 ? '!' : ' ';
}

/* What came from outside keeps to its line. */
static void
put_safe(const char *s)
{
	for (; *s != '\0'; s++) {
		putchar(isprint((unsigned char)*s) ? *s : '?');
	}
}

static void
print_rcpts(const json_t *rcpts)
{
	const char *reason = "";
	json_t *r;
	size_t i;

	json_array_foreach(rcpts, i, r)
	{
		const char *why = client_str(r, "delay_reason");

		if (strcmp(why, reason) != 0 && why[0] != '\0') {
			int n = (int)strlen(why) + 2;

			printf("%*s(", LINE_WIDTH > n ? LINE_WIDTH - n : 0, "");
			put_safe(why);
			puts(")");
			reason = why;
		}
		printf("%*s", ID_WIDTH + 32, "");
		put_safe(client_str(r, "address"));
		putchar('\n');
	}
}

static void
print_message(json_t *m, void *arg)
{
	struct listing *l = arg;
	json_int_t size = client_int(m, "message_size");
	time_t arrival = (time_t)client_int(m, "arrival_time");
	const char *sender = client_str(m, "sender");
	char when[32] = "";
	struct tm tm;

	if (l->messages++ == 0) {
		printf("%-*s  %8s %-19s  %s\n", ID_WIDTH, "-Queue ID-",
		    "--Size--", "---Arrival Time----",
		    "--Sender/Recipient------");
	} else {
		putchar('\n');
	}
	l->bytes += size;
	if (localtime_r(&arrival, &tm) != NULL) {
		(void)strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &tm);
	}
	printf("%-*s%c %8lld %-19s  ", ID_WIDTH, client_str(m, "queue_id"),
	    mark(client_str(m, "queue_name")), (long long)size, when);
	put_safe(sender[0] != '\0' ? sender : "MAILER-DAEMON");
	putchar('\n');
	print_rcpts(json_object_get(m, "recipients"));
}

static int
list(json_t *args, bool as_json)
{
	struct listing l = { 0 };
	int status;

	if (as_json) {
		return client_call("qmgr", "queue.list", args, NULL, NULL);
	}
	status = client_call("qmgr", "queue.list", args, print_message, &l);
	if (status != EX_OK) {
		return status;
	}
	if (l.messages == 0) {
		puts("Mail queue is empty");
	} else {
		printf("\n-- %lld Kbytes in %lld Request%s.\n",
		    (long long)((l.bytes + 1023) / 1024), (long long)l.messages,
		    l.messages == 1 ? "" : "s");
	}
	return EX_OK;
}

/* ---- commands ----------------------------------------------------------- */

struct outcome {
	json_int_t recipients;
	json_int_t missing;
};

static void
take_line(json_t *line, void *arg)
{
	struct outcome *o = arg;

	if (client_wants_json()) {
		(void)json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (client_str(line, "error")[0] != '\0') {
		fprintf(stderr, "pbqueue: %s: %s\n",
		    client_str(line, "queue_id"), client_str(line, "error"));
	}
	if (json_object_get(line, "done") != NULL) {
		o->recipients = client_int(line, "recipients");
		o->missing = client_int(line, "missing");
		if (!client_wants_json()) {
			fprintf(stderr, "pbqueue: %s: %lld recipient%s\n",
			    client_str(line, "done"), (long long)o->recipients,
			    o->recipients == 1 ? "" : "s");
		}
	}
}

/* Ids, "-" or "ALL" into args; whether standard input is read. */
static bool
take_ids(int argc, char **argv, json_t *args, bool has_selector)
{
	json_t *ids = json_array();
	bool is_stdin = false;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0) {
			is_stdin = true;
		} else if (strcmp(argv[i], "ALL") == 0) {
			json_object_set_new(args, "all", json_true());
		} else if (strcasecmp(argv[i], "all") == 0) {
			client_usage("ALL must be typed in capitals");
		} else {
			json_array_append_new(ids, json_string(argv[i]));
		}
	}
	if (argc == 0 && !has_selector) {
		client_usage("say which messages: ids, -, ALL or selectors");
	}
	if (argc != 0 && has_selector) {
		client_usage("ids and selectors do not go together");
	}
	json_object_set_new(args, "ids", ids);
	json_object_set_new(args, "stdin", json_boolean(is_stdin));
	return is_stdin;
}

static int
change(const char *verb, int argc, char **argv, json_t *args, bool has_selector)
{
	bool is_stdin = take_ids(argc, argv, args, has_selector);
	struct outcome o = { 0 };
	char command[32];
	int status;

	(void)snprintf(command, sizeof(command), "queue.%s", verb);
	status = client_call_data(
	    "qmgr", command, args, is_stdin ? 0 : -1, take_line, &o);
	if (status == EX_OK && o.missing != 0 && o.recipients == 0) {
		return EX_NOINPUT;
	}
	return status;
}

/* ---- options ------------------------------------------------------------ */

struct choice {
	bool is_list;
	bool is_json;
	bool has_selector;
};

static json_t *
take_options(int argc, char **argv, struct choice *c)
{
	static const struct option options[] = {
		{ "account", required_argument, NULL, 's' },
		{ "domain", required_argument, NULL, 's' },
		{ "site", required_argument, NULL, 's' },
		{ "sender", required_argument, NULL, 's' },
		{ "recipient", required_argument, NULL, 's' },
		{ "tag", required_argument, NULL, 's' },
		{ 0 },
	};
	json_t *args = json_object();
	int index = 0;
	int o;

	while ((o = getopt_long(argc, argv, "pj", options, &index)) != -1) {
		switch (o) {
		case 'p':
			c->is_list = true;
			break;
		case 'j':
			c->is_list = true;
			c->is_json = true;
			break;
		case 's':
			c->has_selector = true;
			if (json_object_set_new(args, options[index].name,
				json_string(optarg)) < 0) {
				client_die(EX_DATAERR, "%s: not UTF-8",
				    options[index].name);
			}
			break;
		default:
			client_usage(NULL);
		}
	}
	return args;
}

int
main(int argc, char **argv)
{
	static const char *const verbs[] = { "hold", "release", "retry",
		"delete" };
	struct choice c = { 0 };
	json_t *args;

	client_init(&argc, argv, usage);
	args = take_options(argc, argv, &c);
	argc -= optind;
	argv += optind;
	if (c.is_list) {
		if (argc != 0) {
			client_usage("-p and -j take selectors only");
		}
		return list(args, c.is_json || client_wants_json());
	}
	if (argc == 0) {
		client_usage(NULL);
	}
	if (pbqueue_is_sites(argv[0])) {
		json_decref(args);
		return pbqueue_sites(argc, argv);
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[0], verbs[i]) == 0) {
			return change(
			    verbs[i], argc - 1, argv + 1, args, c.has_selector);
		}
	}
	client_usage("no such command");
}
