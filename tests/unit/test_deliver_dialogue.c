/*
 * Plays the dialogues of tests/smtp-client/ against deliver: each file is a
 * server's part, what the client must say, and the results. One line is one
 * step; what the server says (S:) arrives in one piece up to the next step.
 *
 *	# the first line says what the dialogue shows
 *	conf name = value		before everything else
 *	host NAME PREF IP [TLSA]	a host of the destination; its TLSA
 *					records: match wrong unusable unknown
 *					none
 *	refuse IP			it refuses connections
 *	dns STATUS REASON		the resolver's word instead
 *	job key=value ...		see job_word()
 *	conn N [IP]			the connection of the next steps
 *	conns N				so many were made
 *	S: text				the server says a line
 *	raw: text			bytes; \r \n \0 \e \xNN
 *	C: text				the client says a line
 *	content				and the job's content with its dot
 *	stall				the server reads no more
 *	turn				nothing; the pieces before and behind
 *					arrive apart
 *	silence				the client says nothing
 *	pass TIME			time passes
 *	tls				the server begins TLS, which succeeds
 *	close				the server closes
 *	closed				the client has closed
 *	result N key=value ...		of recipient N in the order of arrival;
 *					text= and transcript= are parts, last
 *	results N			so many have come
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "deliver_world.h"
#include "fake_loop.h"
#include "outcome.h"

#define DIALOGUES_MAX 256
#define RCPTS_MAX 32

struct dialogue {
	const char *path;
	unsigned line;
	unsigned conn;
	struct buf says; /* what the server is about to say */
	struct buf content;
	const char *rcpts[RCPTS_MAX + 1];
};

static void
fail_at(const struct dialogue *d, const char *what, struct str got)
{
	char text[512];

	fail_msg("%s:%u: %s; got: %s", d->path, d->line, what,
	    str_safe(text, sizeof(text), got));
}

static const char small_content[] = "Subject: test\r\n"
				    "\r\n"
				    "Hello,\r\n"
				    "..a line with a dot\r\n";

static void
make_content(struct dialogue *d, size_t size)
{
	buf_clear(&d->content, 0);
	if (size == 0) {
		buf_puts(&d->content, small_content);
	}
	while (d->content.len < size) {
		buf_printf(&d->content, "..%060zu\r\n", d->content.len);
	}
}

/* ---- steps -------------------------------------------------------------- */

static uint32_t
flags_of(const char *words)
{
	uint32_t flags = 0;

	flags |= strstr(words, "8bit") != NULL ? MESSAGE_8BIT : 0;
	flags |= strstr(words, "utf8") != NULL ? MESSAGE_UTF8 : 0;
	flags |= strstr(words, "requiretls") != NULL ? MESSAGE_REQUIRETLS : 0;
	return flags;
}

static void
job_rcpts(struct dialogue *d, char *list)
{
	char *save = NULL;
	unsigned n = 0;

	for (char *p = strtok_r(list, ",", &save); p != NULL && n < RCPTS_MAX;
	     p = strtok_r(NULL, ",", &save)) {
		d->rcpts[n++] = p;
	}
	d->rcpts[n] = NULL;
}

static void
job_word(struct dialogue *d, struct world_mail *m, const char *key, char *value)
{
	if (strcmp(key, "id") == 0) {
		m->job = strtoul(value, NULL, 10);
	} else if (strcmp(key, "to") == 0) {
		job_rcpts(d, value);
		m->rcpts = d->rcpts;
	} else if (strcmp(key, "from") == 0) {
		m->from = value;
	} else if (strcmp(key, "hop") == 0) {
		m->next_hop = value;
	} else if (strcmp(key, "limit") == 0) {
		m->conn_limit = (uint16_t)strtoul(value, NULL, 10);
	} else if (strcmp(key, "messages") == 0) {
		m->conn_messages = (uint32_t)strtoul(value, NULL, 10);
	} else if (strcmp(key, "seconds") == 0) {
		m->conn_seconds = (uint32_t)strtoul(value, NULL, 10);
	} else if (strcmp(key, "tls") == 0) {
		m->tls = value;
	} else if (strcmp(key, "fixed") == 0) {
		m->is_fixed = strcmp(value, "yes") == 0;
	} else if (strcmp(key, "user") == 0) {
		m->user = value;
	} else if (strcmp(key, "password") == 0) {
		m->password = value;
	} else if (strcmp(key, "flags") == 0) {
		m->flags = flags_of(value);
	} else if (strcmp(key, "size") == 0) {
		make_content(d, strtoul(value, NULL, 10));
	} else if (strcmp(key, "notify") == 0) {
		m->notify = (uint8_t)strtoul(value, NULL, 10);
	} else if (strcmp(key, "orcpt") == 0) {
		m->orcpt = value;
	} else if (strcmp(key, "envid") == 0) {
		m->env_id = value;
	} else if (strcmp(key, "ret") == 0) {
		m->ret = (uint8_t)strtoul(value, NULL, 10);
	} else {
		fail_at(d, "unknown word of a job", str_of(key));
	}
}

static void
step_job(struct dialogue *d, char *words)
{
	struct world_mail m = { .job = 1 };
	char *save = NULL;

	make_content(d, 0);
	for (char *p = strtok_r(words, " ", &save); p != NULL;
	     p = strtok_r(NULL, " ", &save)) {
		char *value = strchr(p, '=');

		if (value == NULL) {
			fail_at(d, "no value", str_of(p));
		} else {
			*value++ = '\0';
			job_word(d, &m, p, value);
		}
	}
	m.content = buf_str(&d->content);
	world_job(&m);
	world_settle();
}

static void
step_client(struct dialogue *d, const char *line)
{
	struct str in = world_input(d->conn);
	size_t n = strlen(line);

	if (in.len < n + 2 || memcmp(in.p, line, n) != 0 ||
	    memcmp(in.p + n, "\r\n", 2) != 0) {
		fail_at(d, "the client should have said this line", in);
	}
	world_take(d->conn, n + 2);
}

static void
step_content(struct dialogue *d)
{
	struct str in = world_input(d->conn);
	size_t n = d->content.len;

	if (in.len < n + 3 || memcmp(in.p, d->content.p, n) != 0 ||
	    memcmp(in.p + n, ".\r\n", 3) != 0) {
		fail_at(d, "the content should have come, and a dot", in);
	}
	world_take(d->conn, n + 3);
}

static void
step_raw(struct dialogue *d, const char *p)
{
	for (; *p != '\0'; p++) {
		char c = *p;

		if (c == '\\') {
			c = *++p;
			c = c == 'r' ? '\r' : c == 'n' ? '\n' : c;
			c = c == 'e' ? '\033' : c == '0' ? '\0' : c;
			if (c == 'x') {
				const char hex[] = { p[1], p[2], '\0' };

				c = (char)strtoul(hex, NULL, 16);
				p += 2;
			}
		}
		buf_u8(&d->says, (uint8_t)c);
	}
}

static void
step_conn(struct dialogue *d, const char *words)
{
	char ip[46] = "";

	if (sscanf(words, "%u %45s", &d->conn, ip) < 1 ||
	    d->conn >= world.n_conns) {
		fail_at(d, "no such connection", STR(""));
	}
	if (ip[0] != '\0' && strcmp(ip, world.conns[d->conn].ip) != 0) {
		fail_at(d, "another address", str_of(world.conns[d->conn].ip));
	}
}

static void
step_pass(const char *time)
{
	char *unit;
	uint64_t n = strtoul(time, &unit, 10);

	fake_loop_pass(n * (*unit == 'm' ? 60 : 1) * US_PER_S);
	world_settle();
}

static const char *const outcomes[] = { "delivered", "deferred", "failed",
	"returned", "damaged", "uncertain" };

static void
result_is(const struct dialogue *d, struct str got, const char *value)
{
	if (!str_is(got, value)) {
		fail_at(d, value, got);
	}
}

static void
result_has(const struct dialogue *d, struct str got, const char *part)
{
	char raw[256];
	size_t n = 0;

	for (; *part != '\0' && n < sizeof(raw); part++) {
		raw[n++] = part[0] == '\\' && part[1] == 'n' ? '\n' : *part;
		part += raw[n - 1] == '\n' ? 1 : 0;
	}
	if (got.len == 0 || memmem(got.p, got.len, raw, n) == NULL) {
		fail_at(d, "the text should be in there", got);
	}
}

static void
result_word(const struct dialogue *d, const struct ipc_result *r,
    const char *key, const char *value)
{
	unsigned long n = strtoul(value, NULL, 10);
	const struct {
		const char *key;
		unsigned long value;
	} numbers[] = {
		{ "code", r->smtp_code },
		{ "hard", r->is_hard },
		{ "connect", r->is_connect },
		{ "use", r->conn_use },
		{ "last", r->is_last },
		{ "fallback", r->tls_fallback },
		{ "verified", r->tls_verified },
		{ "size", r->size },
		{ "job", r->job },
		{ "rcpt", r->rcpt },
	};
	const struct {
		const char *key;
		struct str value;
	} texts[] = {
		{ "outcome", str_of(outcomes[r->outcome]) },
		{ "enh", r->smtp_enh },
		{ "class", r->class },
		{ "command", r->smtp_command },
		{ "host", r->dest_host },
		{ "ip", r->dest_ip },
		{ "tls", r->tls_result },
		{ "policy", r->tls_policy },
		{ "source", r->tls_source },
		{ "to", r->rcpt_to },
		{ "esmtp", r->esmtp },
	};

	for (size_t i = 0; i < array_len(numbers); i++) {
		if (strcmp(key, numbers[i].key) == 0) {
			if (numbers[i].value != n) {
				fail_at(d, key, r->smtp_text);
			}
			return;
		}
	}
	for (size_t i = 0; i < array_len(texts); i++) {
		if (strcmp(key, texts[i].key) == 0) {
			result_is(d, texts[i].value, value);
			return;
		}
	}
	fail_at(d, "unknown word of a result", str_of(key));
}

static void
step_result(struct dialogue *d, char *words)
{
	char *save = NULL;
	char *p = strtok_r(words, " ", &save);
	unsigned long i = p != NULL ? strtoul(p, NULL, 10) : 0;
	const struct ipc_result *r = &world.results[i].m;

	if (i >= world.n_results) {
		fail_at(d, "no such result", STR(""));
	}
	while (save != NULL && *save != '\0') {
		if (strncmp(save, "text=", 5) == 0) {
			result_has(d, r->smtp_text, save + 5);
			return;
		}
		if (strncmp(save, "transcript=", 11) == 0) {
			result_has(d, r->transcript, save + 11);
			return;
		}
		p = strtok_r(NULL, " ", &save);
		char *value = p != NULL ? strchr(p, '=') : NULL;

		if (value == NULL) {
			fail_at(d, "no value", str_of(p));
			return;
		}
		*value++ = '\0';
		for (char *c = value; *c != '\0'; c++) {
			*c = *c == '+' ? ' ' : *c;
		}
		result_word(d, r, p, value);
	}
}

static void
step_host(const char *words)
{
	char name[64];
	char ip[46];
	char tlsa[16] = "";
	unsigned pref;

	assert_in_range(
	    sscanf(words, "%63s %u %45s %15s", name, &pref, ip, tlsa), 3, 4);
	world_host_tlsa(name, (uint16_t)pref, ip, tlsa);
}

static void
server_speaks(struct dialogue *d, bool is_tls_next)
{
	if (d->says.len > 0) {
		world_send(d->conn, d->says.p, d->says.len);
		buf_clear(&d->says, 0);
		if (is_tls_next) {
			world_tls(d->conn);
		}
		world_settle();
	}
}

static void
expect(const struct dialogue *d, bool is_so, const char *what)
{
	if (!is_so) {
		fail_at(d, what, world_input(d->conn));
	}
}

/* Steps without words behind. */
static bool
step_bare(struct dialogue *d, const char *verb)
{
	if (strcmp(verb, "content") == 0) {
		step_content(d);
	} else if (strcmp(verb, "stall") == 0) {
		stream_pause(world.conns[d->conn].s, true);
	} else if (strcmp(verb, "silence") == 0) {
		expect(d, world_input(d->conn).len == 0, "silence");
	} else if (strcmp(verb, "turn") == 0) {
		world_settle();
	} else if (strcmp(verb, "tls") == 0) {
		world_settle();
		expect(d, world.conns[d->conn].is_tls, "a handshake");
	} else if (strcmp(verb, "close") == 0) {
		world_close(d->conn);
		world_settle();
	} else if (strcmp(verb, "closed") == 0) {
		world_settle();
		expect(d, world.conns[d->conn].is_closed, "closed");
	} else {
		return false;
	}
	return true;
}

static void
step(struct dialogue *d, const char *verb, char *words)
{
	if (strcmp(verb, "S:") == 0) {
		buf_puts(&d->says, words);
		buf_puts(&d->says, "\r\n");
		return;
	}
	if (strcmp(verb, "raw:") == 0) {
		step_raw(d, words);
		return;
	}
	server_speaks(d, strcmp(verb, "tls") == 0);
	if (strcmp(verb, "host") == 0) {
		step_host(words);
	} else if (strcmp(verb, "refuse") == 0) {
		world_refuse(words);
	} else if (strcmp(verb, "dns") == 0) {
		world.dns_status = (uint8_t)strtoul(words, &words, 10);
		world.dns_reason = mem_strdup(words + strspn(words, " "));
	} else if (strcmp(verb, "job") == 0) {
		step_job(d, words);
	} else if (strcmp(verb, "conn") == 0) {
		step_conn(d, words);
	} else if (strcmp(verb, "conns") == 0) {
		expect(d, world.n_conns == strtoul(words, NULL, 10), "conns");
	} else if (strcmp(verb, "C:") == 0) {
		step_client(d, words);
	} else if (strcmp(verb, "pass") == 0) {
		step_pass(words);
	} else if (strcmp(verb, "result") == 0) {
		step_result(d, words);
	} else if (strcmp(verb, "results") == 0) {
		expect(d, world.n_results == strtoul(words, NULL, 10),
		    "another number of results");
	} else if (!step_bare(d, verb)) {
		fail_at(d, "unknown step", str_of(verb));
	}
}

/* ---- files -------------------------------------------------------------- */

static void
step_line(struct dialogue *d, char *line)
{
	char *words = line + strcspn(line, " ");

	if (line[0] == '#' || line[0] == '\0') {
		return;
	}
	if (*words == ' ') {
		*words++ = '\0';
	}
	step(d, line, words);
}

/* Parameters come first in a file. */
static void
read_conf(FILE *f, struct buf *cf)
{
	char line[512];

	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "conf ", 5) == 0) {
			buf_puts(cf, line + 5);
		}
	}
	buf_u8(cf, 0);
	rewind(f);
}

static void
play(void **state)
{
	struct dialogue d = { .path = *state };
	FILE *f = fopen(d.path, "re");
	struct buf cf = { 0 };
	char line[512];

	assert_non_null(f);
	read_conf(f, &cf);
	world_start((const char *)cf.p);
	while (fgets(line, sizeof(line), f) != NULL) {
		d.line++;
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "conf ", 5) != 0) {
			step_line(&d, line);
		}
	}
	server_speaks(&d, false);
	(void)fclose(f);
	free((char *)(uintptr_t)world.dns_reason);
	world_stop();
	buf_fini(&d.says);
	buf_fini(&d.content);
	buf_fini(&cf);
}

static int
by_name(const void *a, const void *b)
{
	const struct CMUnitTest *x = a;
	const struct CMUnitTest *y = b;

	return strcmp(x->name, y->name);
}

int
main(void)
{
	static struct CMUnitTest tests[DIALOGUES_MAX];
	const char *srcdir = getenv("srcdir");
	char path[4096];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;
	int r;

	(void)snprintf(path, sizeof(path), "%s/tests/smtp-client",
	    srcdir != NULL ? srcdir : ".");
	dir = opendir(path);
	if (dir == NULL) {
		perror(path);
		return 1;
	}
	while ((e = readdir(dir)) != NULL && n < DIALOGUES_MAX) {
		size_t len = strlen(e->d_name);
		char file[4096 + 256];

		if (len < 3 || strcmp(e->d_name + len - 2, ".t") != 0) {
			continue;
		}
		(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		tests[n].initial_state = strdup(file);
		tests[n].name = strdup(e->d_name);
		tests[n++].test_func = play;
	}
	(void)closedir(dir);
	qsort(tests, n, sizeof(tests[0]), by_name);
	r = _cmocka_run_group_tests("deliver dialogues", tests, n, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		free(tests[i].initial_state);
		free((char *)(uintptr_t)tests[i].name);
	}
	return r;
}
