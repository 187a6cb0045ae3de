/* pbbounce(1): says what bouncer makes of a report, and by which rules. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../bouncer/report.h"
#include "bounce_cf.h"
#include "buf.h"
#include "client.h"
#include "json_put.h"

static const char usage[] =
    "usage: pbbounce [-c DIR] classify [FILE ...]\n"
    "       pbbounce [-c DIR] [--json] reply [-h HOST] [-p PHASE] TEXT\n"
    "       pbbounce [-c DIR] rules\n";

static struct reply_rules *own;

/* The words of reports in general, not those of events. */
static const char *
kind_name(const struct report *r)
{
	switch (r->kind) {
	case REPORT_FEEDBACK:
		return "feedback";
	case REPORT_AUTO_REPLY:
		return r->is_challenge ? "notbounce" : "vacation";
	case REPORT_OTHER:
		return "notbounce";
	case REPORT_DELIVERY:
		break;
	}
	for (size_t i = 0; i < r->n_rcpts; i++) {
		if (r->rcpts[i].action <= REPORT_DELAYED) {
			return "bounce";
		}
	}
	return r->n_rcpts > 0 ? "delivered" : "bounce";
}

static void
put_verdict(struct buf *b, const struct report_rcpt *rcpt)
{
	json_put_str(b, "status", str_of(rcpt->status));
	json_put_str(b, "action", str_of(report_action_name(rcpt->action)));
	if (rcpt->action <= REPORT_DELAYED) {
		json_put_bool(b, "permanent", rcpt->is_permanent);
		json_put_bool(b, "hard", rcpt->is_hard);
		json_put_str(
		    b, "reason", str_of(reason_desc(rcpt->reason)->name));
	}
	json_put_str_known(b, "text", str_of(rcpt->text));
}

static void
put_report(struct buf *b, const char *name, const struct report *r)
{
	json_put_open(b, NULL, '{');
	json_put_str(b, "file", str_of(name));
	json_put_str(b, "kind", str_of(kind_name(r)));
	json_put_str_known(b, "reporting_mta", str_of(r->reporting_mta));
	json_put_str_known(b, "feedback_type", str_of(r->feedback_type));
	json_put_str_known(b, "return_path", str_of(r->return_path));
	json_put_open(b, "recipients", '[');
	for (size_t i = 0; i < r->n_rcpts; i++) {
		const struct report_rcpt *rcpt = &r->rcpts[i];

		json_put_open(b, NULL, '{');
		json_put_str(b, "addr", str_of(rcpt->address));
		json_put_str_known(b, "original", str_of(rcpt->original));
		if (r->kind == REPORT_DELIVERY) {
			put_verdict(b, rcpt);
		}
		json_put_close(b, '}');
	}
	json_put_close(b, ']');
	json_put_close(b, '}');
	buf_u8(b, '\n');
}

/* Reads what report_parse looks at and one byte more. */
static int
read_some(int fd, struct buf *out)
{
	while (out->len <= REPORT_INPUT_MAX) {
		uint8_t *to = buf_reserve(out, 65536);
		ssize_t n = read(fd, to, 65536);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : 0;
		}
		out->len += (size_t)n;
	}
	return 0;
}

static int
classify(int fd, const char *name)
{
	struct buf message = { 0 }, line = { 0 };
	struct report r;
	int e = read_some(fd, &message);

	if (e == 0) {
		report_parse(message.p, message.len, &r);
		put_report(&line, name, &r);
		(void)fwrite(line.p, 1, line.len, stdout);
		report_fini(&r);
	}
	buf_fini(&message);
	buf_fini(&line);
	return e;
}

static int
classify_file(const char *name)
{
	autoclose int fd = open(name, O_RDONLY | O_CLOEXEC);
	int e = fd < 0 ? -errno : classify(fd, name);

	if (e < 0) {
		fprintf(stderr, "pbbounce: %s: %s\n", name, strerror(-e));
		return EX_NOINPUT;
	}
	return EX_OK;
}

static int
classify_files(int n, char **names)
{
	int status = EX_OK;

	report_init();
	report_use_rules(own);
	if (n == 0) {
		status = classify(STDIN_FILENO, "-") < 0 ? EX_IOERR : EX_OK;
	}
	for (int i = 0; i < n; i++) {
		int s = classify_file(names[i]);

		status = s != EX_OK ? s : status;
	}
	report_exit();
	return status;
}

/* ---- rules --------------------------------------------------------------- */

static int
print_rules(void)
{
	const struct reply_rule *rule;
	struct buf b = { 0 };

	for (size_t i = 0; (rule = reply_rules_get(own, i)) != NULL; i++) {
		if (i == 0) {
			buf_printf(&b, "# %s/bounce.cf\n", client_directory());
		}
		bounce_cf_print(rule, &b);
	}
	buf_puts(&b, "# built in\n");
	for (size_t i = 0; i < n_reply_rules_builtin; i++) {
		bounce_cf_print(&reply_rules_builtin[i], &b);
	}
	(void)fwrite(b.p, 1, b.len, stdout);
	buf_fini(&b);
	return EX_OK;
}

/* ---- reply -------------------------------------------------------------- */

static void
put_answer(struct buf *b, const struct reply_answer *a)
{
	struct buf rule = { 0 };

	if (a->rule != NULL) {
		bounce_cf_print(a->rule, &rule);
		rule.len--; /* the end of the line */
	} else {
		buf_puts(&rule, "none");
	}
	if (client_wants_json()) {
		json_put_open(b, NULL, '{');
		json_put_str(b, "reason", str_of(reason_desc(a->reason)->name));
		json_put_bool(b, "permanent", a->is_permanent);
		json_put_bool(b, "hard", a->is_hard);
		json_put_bool(b, "retry", a->is_retry);
		json_put_num(b, "line", a->rule != NULL ? a->rule->line : 0);
		json_put_str(b, "rule", buf_str(&rule));
		json_put_close(b, '}');
		buf_u8(b, '\n');
	} else {
		buf_printf(b, "%s, %s%s, %s\n", reason_desc(a->reason)->name,
		    a->is_permanent ? "permanent" : "temporary",
		    a->is_hard ? ", hard" : "",
		    a->is_retry ? "tried again" : "given up");
		buf_printf(b, "rule: %.*s", STR_ARG(buf_str(&rule)));
		if (a->rule != NULL && a->rule->line != 0) {
			buf_printf(b, " (bounce.cf:%u)", a->rule->line);
		}
		buf_u8(b, '\n');
	}
	buf_fini(&rule);
}

static unsigned
code_of(struct str text)
{
	uint64_t code;

	if (text.len < 3 ||
	    str_u64((struct str){ text.p, 3 }, 599, &code) < 0) {
		return 0;
	}
	return code >= 400 ? (unsigned)code : 0;
}

static int
classify_reply(int argc, char **argv)
{
	struct reply_question q = { .phase = REPLY_RCPT };
	struct reply_answer a;
	struct buf b = { 0 };
	uint8_t phase;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "h:p:")) != -1) {
		if (c == 'h') {
			q.host = str_of(optarg);
		} else if (c == 'p' &&
		    bounce_cf_phase(str_of(optarg), &phase) == 0) {
			q.phase = (enum reply_phase)phase;
		} else {
			client_usage(c == 'p'
				? "-p is connect, starttls, mail, rcpt, data, "
				  "content or report"
				: NULL);
		}
	}
	if (argc - optind != 1) {
		client_usage("reply takes the whole reply as one word");
	}
	q.text = str_of(argv[optind]);
	q.code = code_of(q.text);
	reply_class(own, &q, &a);
	put_answer(&b, &a);
	(void)fwrite(b.p, 1, b.len, stdout);
	buf_fini(&b);
	return EX_OK;
}

static void
load_rules(void)
{
	struct buf error = { 0 };

	if (bounce_cf_load(client_directory(), &own, &error) < 0) {
		client_die(EX_CONFIG, "%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
}

static int
run(int argc, char **argv)
{
	if (strcmp(argv[1], "classify") == 0) {
		return classify_files(argc - 2, argv + 2);
	}
	if (strcmp(argv[1], "reply") == 0) {
		return classify_reply(argc - 1, argv + 1);
	}
	if (strcmp(argv[1], "rules") == 0 && argc == 2) {
		return print_rules();
	}
	client_usage(NULL);
}

int
main(int argc, char **argv)
{
	int status;

	client_options(&argc, argv, usage);
	if (argc < 2) {
		client_usage(NULL);
	}
	load_rules();
	status = run(argc, argv);
	reply_rules_free(&own);
	if (fflush(stdout) != 0) {
		client_die(EX_IOERR, "standard output: %s", strerror(errno));
	}
	return status;
}
