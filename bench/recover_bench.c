/*
 * What a restart of qmgr takes: a spool whose checkpoint and journal hold a
 * queue of deferred messages is made in an empty directory, then loaded.
 *
 *	recover_bench make DIR [messages [in-journal]]
 *	recover_bench load DIR
 *
 * One recipient a message; `in-journal' messages more are only in the journal,
 * accepted and deferred, as after a crash. `load' prints CPU and real time and
 * the resident memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint.h"
#include "core_name.h"
#include "core_view.h"
#include "journal.h"
#include "log.h"
#include "qmgr.h"

#define DOMAINS 5000u
#define ACCOUNTS 100u
#define PER_SEGMENT 10000u

static struct qmgr self;

struct qmgr *
qmgr_self(void)
{
	return &self;
}

static double
seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
stop(const char *what)
{
	fprintf(stderr, "recover_bench: %s\n", what);
	exit(1);
}

static struct conf *
read_conf(void)
{
	struct conf *conf = NULL;
	struct buf error = { 0 };
	char here[512];
	FILE *f = fopen("packetboat.cf", "w");

	if (f == NULL || getcwd(here, sizeof(here)) == NULL) {
		stop("the directory cannot be written");
	}
	fprintf(f, "myhostname = mail.test\nspool_directory = %s\n", here);
	fclose(f);
	if (conf_load(here, &conf, &error) < 0) {
		stop("no configuration");
	}
	return conf;
}

static struct uuid
id_of(uint64_t k)
{
	struct uuid id = { .b = { 0 } };
	uint64_t mixed = k * 0x9e3779b97f4a7c15ULL;

	memcpy(id.b, &k, sizeof(k));
	memcpy(id.b + 8, &mixed, sizeof(mixed));
	return id;
}

static struct str
domain_of(uint64_t k, char *name, size_t size)
{
	int n = snprintf(name, size, "d%" PRIu64 ".example", k % DOMAINS);

	return (struct str){ name, (size_t)n };
}

static uint32_t
due_of(uint64_t k)
{
	return (uint32_t)(time(NULL) + 600 + (long)(k % 7200));
}

static void
add(struct qmgr *q, uint64_t k)
{
	static const char *const words[] = { "450 4.2.1 try later",
		"421 4.7.0 too many connections", "451 4.3.0 no room" };
	char name[32];
	struct core_rcpt r = {
		.domain =
		    core_domain(q->core, domain_of(k, name, sizeof(name))),
		.due_s = due_of(k),
		.attempts = (uint16_t)(1 + k % 5),
	};
	struct core_message m = {
		.id = id_of(k),
		.account = (uint32_t)(k * 7 % ACCOUNTS) + 1,
		.class = CORE_STANDARD,
		.flags = CORE_SINGLE,
		.accept_lsn = k + 1,
		.expiry_s = UINT32_MAX,
		.size = 4096,
		.place = { .segid = k / PER_SEGMENT + 1,
		    .rec_off = (uint32_t)(k % PER_SEGMENT) * 4800,
		    .rec_len = 600,
		    .content_off = (uint32_t)(k % PER_SEGMENT) * 4800 + 600,
		    .content_len = 4096 },
	};
	struct note note = { .reason = notes_reason_number(
				 q->notes, str_of(words[k % 3])),
		.return_domain =
		    notes_name_number(q->notes, STR("bounce.example.org")) };
	uint32_t msg;

	if (core_add(q->core, &m, &r, 1, &msg) != 0) {
		stop("the core takes no message");
	}
	notes_set(q->notes, msg, note);
}

/* The three facts of a message that was accepted and deferred once. */
static void
write_facts(struct qmgr *q, uint64_t k)
{
	char name[64] = "someone@";
	struct buf rcpts = { 0 };
	struct event_rcpt rcpt = { 0 };
	struct event_accepted a = {
		.time_us = clock_wall_us(),
		.msgid = id_of(k),
		.account = (uint32_t)(k * 7 % ACCOUNTS) + 1,
		.sender = STR("sender@example.org"),
		.return_domain = STR("bounce.example.org"),
		.class = CORE_STANDARD,
		.nrcpt = 1,
	};
	struct event_stored s = {
		.msgid = a.msgid,
		.segid = k / PER_SEGMENT + 1,
		.rec_off = k % PER_SEGMENT * 4800,
		.rec_len = 600,
		.content_off = k % PER_SEGMENT * 4800 + 600,
		.content_len = 4096,
	};
	struct event_deferral d = {
		.time_us = a.time_us,
		.msgid = a.msgid,
		.account = a.account,
		.attempt = 1,
		.next_try_us = due_of(k) * US_PER_S,
		.smtp_text = STR("450 4.2.1 try later"),
	};

	(void)domain_of(k, name + 8, sizeof(name) - 8);
	rcpt.address = str_of(name);
	event_rcpt_add(&rcpts, &rcpt);
	a.rcpts = buf_str(&rcpts);
	qmgr_write(q, EVENT_accepted, &a, NULL, 0, 0);
	qmgr_write(q, EVENT_stored, &s, NULL, 0, 0);
	qmgr_write(q, EVENT_deferral, &d, NULL, 0, 0);
	buf_fini(&rcpts);
}

/* ---- making: one step after the other, in the loop ----------------------- */

static struct making {
	uint64_t messages;
	uint64_t in_journal;
	uint64_t written;
	bool has_begun;
	struct loop_timer *timer;
} making;

static void
on_step(void *arg)
{
	struct qmgr *q = &self;

	(void)arg;
	if (q->safe_lsn == 0 || jrn_pending(q->jrn) > 10000) {
		loop_timer_arm(making.timer, US_PER_MS);
		return;
	}
	if (!making.has_begun) {
		checkpoint_begin(q);
		making.has_begun = true;
	} else if (!checkpoint_is_running(q)) {
		if (making.written == making.in_journal) {
			loop_stop();
			return;
		}
		for (int i = 0; i < 1000 && making.written < making.in_journal;
		     i++) {
			write_facts(q, making.messages + making.written++);
		}
	}
	loop_timer_arm(making.timer, US_PER_MS);
}

static void
make(void)
{
	struct qmgr *q = &self;

	if (mkdir("msg", 0700) < 0 || mkdir("big", 0700) < 0) {
		stop("the directory is not empty");
	}
	checkpoint_init(q);
	for (uint64_t k = 0; k < making.messages; k++) {
		add(q, k);
	}
	qmgr_write(q, EVENT_intake,
	    &(struct event_intake){ .segid = 1, .off = 4096 }, NULL, 0, 0);
	making.timer = loop_timer_new(on_step, NULL);
	loop_timer_arm(making.timer, US_PER_MS);
	loop_run();
	loop_timer_free(&making.timer);
}

/* ---- loading ------------------------------------------------------------ */

static long
resident_kb(void)
{
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "VmRSS: %ld", &kb) == 1) {
			break;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return kb;
}

static void
show(double cpu, double real)
{
	struct core_stats s;
	double rcpts;

	core_stats_get(self.core, &s);
	rcpts = s.rcpts > 0 ? s.rcpts : 1;
	printf("%u messages, %u recipients\n", s.messages, s.rcpts);
	printf("%-32s %8.2f s CPU, %.2f s real\n", "loaded",
	    seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
	    seconds(CLOCK_MONOTONIC) - real);
	printf("%-32s %8.1f bytes a recipient\n", "accounted",
	    (double)(core_memory_bytes(self.core) + notes_memory(self.notes)) /
		rcpts);
	printf("%-32s %8ld MB, %.1f bytes a recipient\n", "resident",
	    resident_kb() / 1024, (double)resident_kb() * 1024 / rcpts);
}

int
main(int argc, char **argv)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	double real = seconds(CLOCK_MONOTONIC);
	struct buf error = { 0 };
	struct conf *conf;
	bool is_make;

	if (argc < 3 || chdir(argv[2]) < 0) {
		stop("make|load DIR [messages [in-journal]]");
	}
	is_make = strcmp(argv[1], "make") == 0;
	making.messages = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
	making.in_journal = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	loop_init();
	conf = read_conf();
	if (qmgr_open(&self, conf, NULL, NULL, clock_wall_us(), &error) < 0) {
		stop("the queue cannot be opened");
	}
	if (is_make) {
		make();
	} else {
		show(cpu, real);
	}
	qmgr_close(&self);
	conf_free(&conf);
	loop_fini();
	return 0;
}
