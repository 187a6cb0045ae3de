/*
 * Runs every dialogue of tests/smtp against the real sessions. A dialogue is
 * a file of lines:
 *
 *   # ...             the first one states the fact that is tested
 *   conf NAME = VALUE a line of packetboat.cf; cert: with a certificate
 *   role ROLE         of the listener; client ADDRESS
 *   C: TEXT           the client sends TEXT and CRLF
 *   C> TEXT           ... only TEXT; escapes \r \n \0 \t \\ \xHH
 *   C* N TEXT         ... TEXT with its escapes N times
 *   S: PATTERN        the next line of the server; * stands for anything
 *   S* N PATTERN      ... the next N lines
 *   quiet             the server has said nothing more
 *   closed            the server has closed
 *   hangup            the client closes; connect: comes again
 *   half              the client closes its half and listens on
 *   tls               handshake; tls fails: it must not succeed
 *   pass TIME         so many seconds go by
 *   accountd, signd, log, big MOOD ...   see do_mood
 *   stored N          so many messages are in the log
 *   field NAME VALUE  of the last accepted record (* as above)
 *   blocked N yes|no  recipient N of it is suppressed
 *   has TEXT, lacks TEXT, is TEXT   the content of the last message
 *   count NAME N      a counter of struct world
 *   drain, revoke, changed, pressure on|off, full ACCOUNT[/SUB] on|off, done
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "account.h"
#include "clock.h"
#include "fake_loop.h"
#include "log.h"
#include "session.h"
#include "smtp_client.h"
#include "smtpd_world.h"
#include "spool.h"
#include "worker.h"

#define DIALOGUES_MAX 256

static char cert_path[] = "/tmp/smtp-dialogue-XXXXXX";

/* ---- lines of a dialogue ------------------------------------------------ */

static void
expect_line(const char *pattern)
{
	struct str in, line;
	const char *lf;

	client_settle();
	in = buf_str(&end.in);
	lf = in.len != 0 ? memchr(in.p, '\n', in.len) : NULL;
	if (lf == NULL) {
		client_fail("expected \"%s\", got nothing", pattern);
	}
	line = (struct str){ in.p, (size_t)(lf - in.p) };
	if (line.len == 0 || line.p[line.len - 1] != '\r') {
		client_fail("a reply line without CRLF");
	}
	line.len--;
	if (!client_matches(pattern, line)) {
		client_fail(
		    "expected \"%s\", got \"%.*s\"", pattern, STR_ARG(line));
	}
	buf_drop(&end.in, line.len + 2);
}

static void
do_send(const char *text, unsigned times, bool has_crlf)
{
	struct buf one = { 0 };
	struct buf all = { 0 };

	client_unescape(text, &one);
	for (unsigned i = 0; i < times; i++) {
		buf_add(&all, one.p, one.len);
	}
	if (has_crlf) {
		buf_puts(&all, "\r\n");
	}
	client_push(buf_str(&all));
	buf_fini(&one);
	buf_fini(&all);
	client_settle();
}

static const struct {
	const char *word;
	enum world_mood mood;
} moods[] = { { "ok", WORLD_OK }, { "refuses", WORLD_REFUSES },
	{ "silent", WORLD_SILENT }, { "down", WORLD_DOWN } };

static const struct {
	const char *word;
	enum world_log log;
} logs[] = { { "ok", WORLD_LOG_OK }, { "late", WORLD_LOG_LATE },
	{ "eio", WORLD_LOG_EIO }, { "enospc", WORLD_LOG_ENOSPC },
	{ "no-file", WORLD_LOG_NO_FILE }, { "silent", WORLD_LOG_NO_REPLY } };

static enum world_mood
mood_of(const char *word)
{
	for (size_t i = 0; i < array_len(moods); i++) {
		if (strcmp(word, moods[i].word) == 0) {
			return moods[i].mood;
		}
	}
	client_fail("unknown mood %s", word);
}

/* accountd ok|silent|down, refuses CODE ENH TEXT, verdict N, sign DOMAIN,
 * suppress BITS, flags N, kind N. */
static void
do_accountd(char *args)
{
	static char enh[16], text[128], domain[128];
	unsigned n;

	if (sscanf(args, "refuses %u %15s %127[^\n]", &n, enh, text) == 3) {
		world.accountd = WORLD_REFUSES;
		world.code = (uint16_t)n;
		world.enh = enh;
		world.text = text;
	} else if (sscanf(args, "verdict %u", &n) == 1) {
		world.accountd = WORLD_REFUSES;
		world.verdict = (uint8_t)n;
	} else if (sscanf(args, "sign %127s", domain) == 1) {
		world.sign_domain = domain;
	} else if (sscanf(args, "suppress %u", &n) == 1) {
		world.suppressed = n;
	} else if (sscanf(args, "flags %u", &n) == 1) {
		world.tx_flags = n;
	} else if (sscanf(args, "kind %u", &n) == 1) {
		world.kind = (uint8_t)n;
	} else {
		world.accountd = mood_of(args);
	}
}

static void
do_log(const char *word)
{
	for (size_t i = 0; i < array_len(logs); i++) {
		if (strcmp(word, logs[i].word) == 0) {
			world.log = logs[i].log;
			return;
		}
	}
	client_fail("unknown mood %s", word);
}

static const struct world_message *
last_message(void)
{
	if (world.n_messages == 0) {
		client_fail("nothing is stored");
	}
	return &world.messages[world.n_messages - 1];
}

static void
do_field(char *args)
{
	const struct rec_field *f = event_desc(EVENT_accepted)->fields;
	const uint8_t *event = (const void *)&last_message()->event;
	char *value = strchr(args, ' ');
	struct buf text = { 0 };

	if (value != NULL) {
		*value++ = '\0';
	}
	while (f->type != REC_T_END && strcmp(f->name, args) != 0) {
		f++;
	}
	event += f->offset;
	switch (f->type) {
	case REC_T_U8:
		buf_printf(&text, "%u", *event);
		break;
	case REC_T_U16:
		buf_printf(&text, "%u", *(const uint16_t *)(const void *)event);
		break;
	case REC_T_U32:
		buf_printf(&text, "%u", *(const uint32_t *)(const void *)event);
		break;
	case REC_T_U64:
		buf_printf(&text, "%llu",
		    (unsigned long long)*(const uint64_t *)(const void *)event);
		break;
	case REC_T_STR:
	case REC_T_BLOB: {
		const struct str *s = (const void *)event;

		buf_add(&text, s->p, s->len);
		break;
	}
	default:
		client_fail("no such field %s", args);
	}
	if (!client_matches(value != NULL ? value : "", buf_str(&text))) {
		client_fail(
		    "%s is \"%.*s\"", args, (int)text.len, (char *)text.p);
	}
	buf_fini(&text);
}

/* blocked ORDINAL yes|no */
static void
do_blocked(const char *args)
{
	struct str rcpts = last_message()->event.rcpts;
	struct event_rcpt r = { 0 };
	unsigned n;
	char word[8];

	if (sscanf(args, "%u %7s", &n, word) != 2) {
		client_fail("blocked N yes|no");
	}
	for (unsigned i = 0; i <= n; i++) {
		if (!event_rcpt_next(&rcpts, &r)) {
			client_fail("no recipient %u", n);
		}
	}
	if (((r.notify & RCPT_BLOCKED) != 0) != (strcmp(word, "yes") == 0)) {
		client_fail("recipient %u: %u", n, r.notify);
	}
}

enum content_check { CONTENT_HAS, CONTENT_LACKS, CONTENT_IS };

static void
do_content(const char *escaped, enum content_check check)
{
	const struct buf *c = &last_message()->content;
	struct buf text = { 0 };
	bool found;

	client_unescape(escaped, &text);
	found = memmem(c->p, c->len, text.p, text.len) != NULL;
	if (check == CONTENT_IS) {
		/* From the first line that is not ours on. */
		found = c->len >= text.len &&
		    memcmp(c->p + c->len - text.len, text.p, text.len) == 0;
	}
	if (found == (check == CONTENT_LACKS)) {
		client_fail("content: \"%.*s\"", (int)c->len, (char *)c->p);
	}
	buf_fini(&text);
}

static void
do_count(const char *args)
{
	const struct {
		const char *name;
		unsigned value;
	} counts[] = {
		{ "tx", world.tx_requests },
		{ "sign", world.sign_requests },
		{ "sign-fd", world.sign_fds },
		{ "auth", world.auth_requests },
		{ "client", world.client_requests },
		{ "durable", world.durable_sent },
	};
	char name[32];
	unsigned n;

	if (sscanf(args, "%31s %u", name, &n) != 2) {
		client_fail("count NAME N");
	}
	for (size_t i = 0; i < array_len(counts); i++) {
		if (strcmp(name, counts[i].name) == 0) {
			if (counts[i].value != n) {
				client_fail("%s: %u", name, counts[i].value);
			}
			return;
		}
	}
	client_fail("no counter %s", name);
}

/* "account[/subaccount] on|off" */
static void
do_full(const char *args)
{
	unsigned account = 0;
	unsigned sub = 0;
	struct ipc_tenant_pressure m = { .name = STR("test") };

	if (sscanf(args, "%u/%u", &account, &sub) < 1) {
		client_fail("no account in %s", args);
	}
	m.account = account;
	m.subaccount = sub;
	m.is_full = strstr(args, " on") != NULL;
	world_tell(ROLE_QMGR, IPC_tenant_pressure, &m);
}

static void
do_pressure(const char *args)
{
	struct ipc_pressure m = { .level = strcmp(args, "on") == 0,
		.reason = STR("test") };

	world_tell(ROLE_QMGR, IPC_pressure, &m);
}

static void
do_changed(bool is_revoked, bool is_limited)
{
	struct ipc_accounts_changed m = {
		.key = is_revoked || is_limited ? 9 : 0, .is_good = is_limited
	};

	world_tell(ROLE_ACCOUNTD, IPC_accounts_changed, &m);
}

/* Words with one argument. Returns whether it was one. */
static bool
do_check(const char *word, char *args)
{
	if (strcmp(word, "stored") == 0) {
		client_settle();
		if (world.n_messages != (size_t)atol(args)) {
			client_fail("stored %zu", world.n_messages);
		}
	} else if (strcmp(word, "field") == 0) {
		do_field(args);
	} else if (strcmp(word, "blocked") == 0) {
		do_blocked(args);
	} else if (strcmp(word, "has") == 0) {
		do_content(args, CONTENT_HAS);
	} else if (strcmp(word, "lacks") == 0) {
		do_content(args, CONTENT_LACKS);
	} else if (strcmp(word, "is") == 0) {
		do_content(args, CONTENT_IS);
	} else if (strcmp(word, "count") == 0) {
		do_count(args);
	} else if (strcmp(word, "quiet") == 0) {
		client_settle();
		if (end.in.len != 0 || end.is_closed) {
			client_fail("not quiet: %.*s", (int)end.in.len,
			    (char *)end.in.p);
		}
	} else if (strcmp(word, "closed") == 0) {
		client_settle();
		if (end.in.len != 0 || !end.is_closed) {
			client_fail("not closed: %.*s", (int)end.in.len,
			    (char *)end.in.p);
		}
	} else if (strcmp(word, "over") == 0) {
		client_settle();
		if (!world.is_over) {
			client_fail("the process goes on");
		}
	} else {
		return false;
	}
	return true;
}

static bool
do_world(const char *word, char *args)
{
	if (strcmp(word, "accountd") == 0) {
		do_accountd(args);
	} else if (strcmp(word, "signd") == 0) {
		world.signd = mood_of(args);
	} else if (strcmp(word, "log") == 0) {
		do_log(args);
	} else if (strcmp(word, "big") == 0) {
		world.is_big_failing = strcmp(args, "fails") == 0;
	} else if (strcmp(word, "full") == 0) {
		do_full(args);
	} else if (strcmp(word, "pressure") == 0) {
		do_pressure(args);
	} else if (strcmp(word, "changed") == 0) {
		do_changed(false, false);
	} else if (strcmp(word, "revoke") == 0) {
		do_changed(true, false);
	} else if (strcmp(word, "limit") == 0) {
		do_changed(false, true);
	} else if (strcmp(word, "drain") == 0) {
		worker_drain();
	} else if (strcmp(word, "done") == 0) {
		world_log_done(0);
	} else if (strcmp(word, "pass") == 0) {
		fake_loop_pass((uint64_t)atol(args) * US_PER_S);
	} else {
		return false;
	}
	client_settle();
	return true;
}

static bool
do_wire(const char *word, char *args)
{
	char *rest;

	if (strcmp(word, "C:") == 0) {
		do_send(args, 1, true);
	} else if (strcmp(word, "C>") == 0) {
		do_send(args, 1, false);
	} else if (strcmp(word, "C*") == 0) {
		unsigned n = (unsigned)strtoul(args, &rest, 10);

		do_send(rest + 1, n, false);
	} else if (strcmp(word, "S:") == 0) {
		expect_line(args);
	} else if (strcmp(word, "S*") == 0) {
		unsigned n = (unsigned)strtoul(args, &rest, 10);

		while (n-- > 0) {
			expect_line(rest + 1);
		}
	} else if (strcmp(word, "tls") == 0) {
		client_start_tls(strncmp(args, "fails", 5) == 0,
		    strcmp(args, "fails 1.1") == 0 ? TLS1_1_VERSION : 0);
	} else if (strcmp(word, "hangup") == 0) {
		client_close();
	} else if (strcmp(word, "half") == 0) {
		client_close_half();
	} else if (strcmp(word, "connect") == 0) {
		client_close();
		client_open(args);
	} else {
		return false;
	}
	return true;
}

/* Lines before the connection. Returns false at the first other one. */
static bool
do_setup(const char *word, char *args, struct buf *cf)
{
	if (strcmp(word, "conf") == 0) {
		if (strcmp(args, "cert") == 0) {
			buf_printf(cf, "smtpd_tls_cert_file = %s\n", cert_path);
		} else {
			buf_printf(cf, "%s\n", args);
		}
	} else if (strcmp(word, "role") == 0) {
		end.role = strcmp(args, "mx") == 0     ? PORT_MX
		    : strcmp(args, "submissions") == 0 ? PORT_SUBMISSIONS
						       : PORT_SUBMISSION;
	} else if (strcmp(word, "client") == 0) {
		str_copy(end.ip, sizeof(end.ip), str_of(args));
	} else {
		return false;
	}
	return true;
}

static void
start(struct buf *cf, const char *first_word)
{
	buf_puts(cf, "myhostname = mx.test\n");
	buf_u8(cf, 0);
	world_start((const char *)cf->p);
	buf_fini(cf);
	if (strcmp(first_word, "connect") != 0) {
		client_open("");
	}
}

static void
run_file(FILE *f)
{
	struct buf cf = { 0 };
	char *line = NULL;
	size_t cap = 0;
	bool is_started = false;

	str_copy(end.ip, sizeof(end.ip), STR("192.0.2.1"));
	while (getline(&line, &cap, f) > 0) {
		char *word = line, *args;

		client_line++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0') {
			continue;
		}
		args = strchr(line, ' ');
		if (args != NULL) {
			*args++ = '\0';
		} else {
			args = line + strlen(line);
		}
		if (!is_started && do_setup(word, args, &cf)) {
			continue;
		}
		if (!is_started &&
		    (strcmp(word, "accountd") == 0 ||
			strcmp(word, "log") == 0)) {
			(void)do_world(word, args);
			continue;
		}
		if (!is_started) {
			is_started = true;
			start(&cf, word);
		}
		if (!do_wire(word, args) && !do_check(word, args) &&
		    !do_world(word, args)) {
			client_fail("what is \"%s\"?", word);
		}
	}
	free(line);
}

/* ---- running ------------------------------------------------------------ */

static void
run_child(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f == NULL) {
		_exit(1);
	}
	log_set_level(LOG_LEVEL_ERROR);
	client_file = path;
	run_file(f);
	fclose(f);
	client_close();
	buf_fini(&end.in);
	SSL_CTX_free(end.ctx);
	world_stop();
	exit(0); /* a leak shows in the status */
}

static void
dialogue_goes_as_written(void **state)
{
	const char *path = *state;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		run_child(path);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
by_name(const void *a, const void *b)
{
	const struct CMUnitTest *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static size_t
find_dialogues(const char *dir, struct CMUnitTest *tests)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL && n < DIALOGUES_MAX) {
		char *dot = strrchr(e->d_name, '.');
		char *path;

		if (dot == NULL || strcmp(dot, ".t") != 0 ||
		    asprintf(&path, "%s/%s", dir, e->d_name) < 0) {
			continue;
		}
		tests[n++] = (struct CMUnitTest){
			.name = strndup(e->d_name, (size_t)(dot - e->d_name)),
			.test_func = dialogue_goes_as_written,
			.initial_state = path
		};
	}
	if (d != NULL) {
		closedir(d);
	}
	qsort(tests, n, sizeof(*tests), by_name);
	return n;
}

int
main(int argc, char **argv)
{
	static struct CMUnitTest tests[DIALOGUES_MAX];
	const char *srcdir = getenv("srcdir");
	char dir[4096];
	size_t n = 1;
	int r;

	client_make_certificate(cert_path);
	if (argc > 1) {
		tests[0] = (struct CMUnitTest){ .name = argv[1],
			.test_func = dialogue_goes_as_written,
			.initial_state = argv[1] };
	} else {
		(void)snprintf(dir, sizeof(dir), "%s/tests/smtp",
		    srcdir != NULL ? srcdir : ".");
		n = find_dialogues(dir, tests);
	}
	r = n == 0 ? 1 : _cmocka_run_group_tests("smtp", tests, n, NULL, NULL);
	(void)unlink(cert_path);
	for (size_t i = 0; argc == 1 && i < n; i++) {
		free((void *)(uintptr_t)tests[i].name);
		free(tests[i].initial_state);
	}
	return r;
}
