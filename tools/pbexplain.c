/* pbexplain(1): what would happen to a mail, and what decides it. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "smtp_path.h"

static const char usage[] =
    "usage: pbexplain [-c DIR] [--json] -f SENDER -r RECIPIENT\n"
    "           [-a ACCOUNT[/SUB]] [-F FROM] [-k KEY]\n";

/* In the order in which a later one decides over an earlier. */
static const char *const outcomes[] = { "go", "wait", "stop", "refuse" };
static const char *const verdicts[] = {
	"it would be sent now",
	"it would be accepted and wait",
	"it would be accepted, and end without a delivery",
	"it would be refused",
};

struct explanation {
	size_t worst; /* of outcomes */
	char decision[64];
	json_t *facts; /* what the next daemon is told */
};

static void
print(json_t *line)
{
	if (client_wants_json()) {
		(void)json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("%-12s %-7s %s\n", client_str(line, "decision"),
	    client_str(line, "outcome"), client_str(line, "text"));
	if (client_str(line, "by")[0] != '\0') {
		printf("%-20s by %s\n", "", client_str(line, "by"));
	}
}

static void
take(json_t *line, void *arg)
{
	struct explanation *x = arg;
	json_t *facts = json_object_get(line, "facts");

	if (facts != NULL) {
		(void)json_object_update(x->facts, facts);
		return;
	}
	print(line);
	for (size_t i = x->worst + 1; i < array_len(outcomes); i++) {
		if (strcmp(client_str(line, "outcome"), outcomes[i]) == 0) {
			x->worst = i;
			(void)snprintf(x->decision, sizeof(x->decision), "%s",
			    client_str(line, "decision"));
		}
	}
}

/* ---- the daemons, one after the other ------------------------------------
 */

/* Exits when the daemon cannot answer. */
static void
ask(struct explanation *x, const char *service, const char *command,
    const json_t *args)
{
	json_t *a = json_deep_copy(args);
	int status;

	(void)json_object_set(a, "facts", x->facts);
	status = client_call(service, command, a, take, x);
	if (status != EX_OK) {
		(void)fflush(stdout);
		exit(status);
	}
}

/* Is a source of the same address family before number n? */
static bool
is_asked(const json_t *sources, size_t n)
{
	bool is_v6 =
	    strchr(json_string_value(json_array_get(sources, n)), ':') != NULL;

	for (size_t i = 0; i < n; i++) {
		const char *ip = json_string_value(json_array_get(sources, i));

		if ((strchr(ip, ':') != NULL) == is_v6) {
			return true;
		}
	}
	return false;
}

/* The hosts depend on the family of the source address only. */
static void
ask_route(struct explanation *x, const json_t *args)
{
	const json_t *sources = json_object_get(x->facts, "sources");
	size_t n = json_array_size(sources);

	if (client_str(x->facts, "next_hop")[0] == '\0') {
		return; /* the mail has no way */
	}
	if (n == 0) {
		ask(x, "deliver", "explain.route", args);
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_asked(sources, i)) {
			(void)json_object_set(
			    x->facts, "source", json_array_get(sources, i));
			ask(x, "deliver", "explain.route", args);
		}
	}
}

static void
explain(const json_t *args)
{
	struct explanation x = { .facts = json_object() };
	json_t *line;

	ask(&x, "accountd", "explain.submit", args);
	if (json_object_get(x.facts, "account") != NULL) {
		ask(&x, "signd", "explain.sign", args);
		ask(&x, "qmgr", "explain.queue", args);
		ask_route(&x, args);
	}
	line = json_pack("{s:s, s:s, s:s}", "decision", "verdict", "outcome",
	    outcomes[x.worst], "text", verdicts[x.worst]);
	if (x.worst > 0) {
		(void)json_object_set_new(line, "by", json_string(x.decision));
	}
	print(line);
	json_decref(line);
	json_decref(x.facts);
}

/* ---- arguments -----------------------------------------------------------
 */

static void
set_address(json_t *args, const char *name, const char *value, unsigned flags)
{
	struct smtp_path path;

	if (smtp_mailbox_parse(
		value, strlen(value), SMTP_PATH_UTF8 | flags, &path) < 0) {
		client_die(EX_DATAERR,
		    "%s: \"%s\" is no address such as name@example.com", name,
		    value);
	}
	client_set(args, name, value);
}

int
main(int argc, char **argv)
{
	json_t *args = json_object();
	const char *sender = NULL;
	const char *recipient = NULL;
	const char *from = NULL;
	int c;

	client_init(&argc, argv, usage);
	while ((c = getopt(argc, argv, "a:f:F:k:r:")) != -1) {
		switch (c) {
		case 'a':
			client_set(args, "account", optarg);
			break;
		case 'f':
			sender = optarg;
			break;
		case 'F':
			from = optarg;
			break;
		case 'k':
			client_set(args, "key", optarg);
			break;
		case 'r':
			recipient = optarg;
			break;
		default:
			client_usage(NULL);
		}
	}
	if (sender == NULL || recipient == NULL || optind != argc) {
		client_usage(sender == NULL ? "whose mail? -f SENDER"
			: recipient == NULL ? "to whom? -r RECIPIENT"
					    : "only options are taken");
	}
	set_address(args, "sender", sender, SMTP_PATH_NULL);
	set_address(args, "recipient", recipient, 0);
	set_address(args, "from", from != NULL ? from : sender,
	    from != NULL ? 0 : SMTP_PATH_NULL);
	explain(args);
	json_decref(args);
	return EX_OK;
}
