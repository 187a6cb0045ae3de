/* pbbounce(1): says what bouncer makes of a report. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../bouncer/report.h"
#include "buf.h"
#include "json_put.h"

static const char usage[] = "usage: pbbounce classify [FILE ...]\n";

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

int
main(int argc, char **argv)
{
	int status = EX_OK;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (argc < 2 || strcmp(argv[1], "classify") != 0) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	report_init();
	if (argc == 2) {
		status = classify(STDIN_FILENO, "-") < 0 ? EX_IOERR : EX_OK;
	}
	for (int i = 2; i < argc; i++) {
		int s = classify_file(argv[i]);

		status = s != EX_OK ? s : status;
	}
	report_exit();
	if (fflush(stdout) != 0) {
		fprintf(
		    stderr, "pbbounce: standard output: %s\n", strerror(errno));
		return EX_IOERR;
	}
	return status;
}
