/* pbsuppress(1): addresses that get no mail. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "csv.h"

static const char usage[] =
    "usage: pbsuppress [-c DIR] [--json] add ACCOUNT[/SUB] ADDRESS ...|-\n"
    "                  [--reason REASON] [--detail TEXT] [--expires TIME]\n"
    "       pbsuppress [-c DIR] [--json] delete ACCOUNT[/SUB] ADDRESS ...|-\n"
    "       pbsuppress [-c DIR] [--json] list ACCOUNT[/SUB]\n"
    "       pbsuppress [-c DIR] [--json] import ACCOUNT[/SUB] [FILE|-]\n"
    "                  [--reason REASON] [--detail TEXT] [--expires TIME]\n"
    "       pbsuppress [-c DIR] export ACCOUNT[/SUB]\n";

static const char *const columns[] = { "address", "subaccount", "reason",
	"detail", "created", "expires", "last_event", "count" };

static void
print_row(json_t *e, void *arg)
{
	(void)arg;
	printf("%-40s %-11s %-8s %-20s %s%s%s\n", client_str(e, "address"),
	    client_str(e, "reason"), client_str(e, "status"),
	    client_str(e, "expires")[0] != '\0' ? client_str(e, "expires")
						: "never",
	    client_str(e, "subaccount"),
	    client_str(e, "subaccount")[0] != '\0' ? " " : "",
	    client_str(e, "detail"));
}

static void
print_csv(json_t *e, void *arg)
{
	struct buf line = { 0 };

	(void)arg;
	for (size_t i = 0; i < array_len(columns); i++) {
		const json_t *v = json_object_get(e, columns[i]);

		if (i > 0) {
			buf_u8(&line, ',');
		}
		if (json_is_integer(v)) {
			buf_printf(
			    &line, "%lld", (long long)json_integer_value(v));
		} else {
			csv_put(&line, str_of(client_str(e, columns[i])));
		}
	}
	buf_u8(&line, '\n');
	(void)fwrite(line.p, 1, line.len, stdout);
	buf_fini(&line);
}

static void
print_csv_header(void)
{
	for (size_t i = 0; i < array_len(columns); i++) {
		printf("%s%s", i > 0 ? "," : "", columns[i]);
	}
	putchar('\n');
}

/* What a change has done; *arg is the exit status. */
static void
print_change(json_t *l, void *arg)
{
	int *status = arg;
	long long refused = client_int(l, "refused");
	long long missing = client_int(l, "missing");

	if (refused > 0) {
		fprintf(stderr,
		    "pbsuppress: %lld refused; the first is number %lld: %s\n",
		    refused, (long long)client_int(l, "first_refused"),
		    client_str(l, "why"));
		*status = EX_DATAERR;
	} else if (missing > 0) {
		fprintf(stderr, "pbsuppress: %lld not on the list\n", missing);
		*status = EX_NOUSER;
	}
	if (client_int(l, "kept") > 0) {
		fprintf(stderr,
		    "pbsuppress: %lld stay allowed; delete them first\n",
		    (long long)client_int(l, "kept"));
	}
	if (client_wants_json()) {
		(void)json_dumpf(l, stdout, JSON_COMPACT);
		putchar('\n');
	}
}

/* The operands as a file of rows. */
static int
file_of(char **operand)
{
	FILE *f = tmpfile();
	struct buf line = { 0 };
	int fd;

	if (f == NULL) {
		client_die(EX_OSERR, "tmpfile: %s", strerror(errno));
	}
	for (; *operand != NULL; operand++) {
		buf_clear(&line, 1024);
		csv_put(&line, str_of(*operand));
		buf_u8(&line, '\n');
		(void)fwrite(line.p, 1, line.len, f);
	}
	buf_fini(&line);
	rewind(f); /* writes what is buffered */
	fd = dup(fileno(f));
	(void)fclose(f);
	if (fd < 0) {
		client_die(EX_OSERR, "dup: %s", strerror(errno));
	}
	return fd;
}

/* Where the rows of a change come from. */
static int
input(bool is_import, char **operand)
{
	bool is_stdin = operand[0] == NULL ||
	    (operand[1] == NULL && strcmp(operand[0], "-") == 0);
	int fd;

	if (!is_import && operand[0] == NULL) {
		client_usage("an address is needed, or -");
	}
	if (is_stdin) {
		return STDIN_FILENO;
	}
	if (!is_import) {
		return file_of(operand);
	}
	if (operand[1] != NULL) {
		client_usage(NULL);
	}
	fd = open(operand[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		client_die(EX_NOINPUT, "%s: %s", operand[0], strerror(errno));
	}
	return fd;
}

static int
change(const char *mode, json_t *args, char **operand)
{
	int status = EX_OK;
	int fd = input(strcmp(mode, "import") == 0, operand);
	int r;

	(void)json_object_set_new(args, "mode", json_string(mode));
	r = client_call_data(
	    "accountd", "suppress.change", args, fd, print_change, &status);
	return r != EX_OK ? r : status;
}

/* Options into args; returns the index of the first operand. */
static int
take_options(int argc, char **argv, json_t *args)
{
	static const struct option options[] = {
		{ "reason", required_argument, NULL, 'r' },
		{ "detail", required_argument, NULL, 'd' },
		{ "expires", required_argument, NULL, 'e' },
		{ 0 },
	};
	int index = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (c == '?') {
			client_usage(NULL);
		}
		if (json_object_set_new(
			args, options[index].name, json_string(optarg)) < 0) {
			client_die(
			    EX_DATAERR, "%s: not UTF-8", options[index].name);
		}
	}
	return optind;
}

static int
list(json_t *args, bool is_export)
{
	if (is_export) {
		print_csv_header();
		return client_call(
		    "accountd", "suppress.list", args, print_csv, NULL);
	}
	return client_call("accountd", "suppress.list", args,
	    client_wants_json() ? NULL : print_row, NULL);
}

int
main(int argc, char **argv)
{
	json_t *args = json_object();
	const char *verb;
	char **operand;

	client_init(&argc, argv, usage);
	if (argc < 2) {
		client_usage(NULL);
	}
	verb = argv[1];
	operand = argv + 1 + take_options(argc - 1, argv + 1, args);
	if (*operand == NULL) {
		client_usage("an account is needed");
	}
	if (json_object_set_new(args, "account", json_string(*operand++)) < 0) {
		client_die(EX_DATAERR, "the account's name is not UTF-8");
	}
	if (strcmp(verb, "add") == 0 || strcmp(verb, "delete") == 0 ||
	    strcmp(verb, "import") == 0) {
		return change(verb, args, operand);
	}
	if (*operand != NULL) {
		client_usage(NULL);
	}
	if (strcmp(verb, "list") == 0 || strcmp(verb, "export") == 0) {
		return list(args, strcmp(verb, "export") == 0);
	}
	client_usage("unknown command");
}
