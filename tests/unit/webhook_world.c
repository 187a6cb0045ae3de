#include "webhook_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "accepted.h"
#include "clock.h"
#include "fake_loop.h"
#include "journal.h"
#include "journal_feed.h"
#include "loop.h"
#include "progress.h"
#include "saver.h"
#include "sender.h"
#include "service.h"
#include "tail.h"
#include "webhookd.h"

struct world world;
struct conf world_conf;

/* ---- the process -------------------------------------------------------- */

const struct conf *
conf(void)
{
	return &world_conf;
}

/* No channel is up: what is sent to others is dropped. */
struct peer *
service_peer(enum role role, uint32_t index)
{
	(void)role;
	(void)index;
	return NULL;
}

void
service_exit(void)
{
}

/* ---- files -------------------------------------------------------------- */

static struct {
	saver_fn *fn;
	void *arg;
	struct loop_defer defer;
} saved[64];

static void
on_saved(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;
	saver_fn *fn = saved[i].fn;

	saved[i].fn = NULL;
	fn(saved[i].arg, world.saving_fails ? -EIO : 0);
}

static void
answer_later(saver_fn *fn, void *arg)
{
	for (size_t i = 0; i < array_len(saved); i++) {
		if (saved[i].fn == NULL) {
			saved[i].fn = fn;
			saved[i].arg = arg;
			loop_defer(
			    &saved[i].defer, on_saved, (void *)(uintptr_t)i);
			return;
		}
	}
	bug_on(true);
}

void
saver_start(void)
{
}

void
saver_stop(void)
{
	for (size_t i = 0; i < array_len(saved); i++) {
		loop_defer_cancel(&saved[i].defer);
		saved[i].fn = NULL;
	}
}

void
saver_replace(const char *name, struct buf *text, saver_fn *fn, void *arg)
{
	(void)name;
	if (!world.saving_fails) {
		free(world.cursors);
		world.cursors = str_dup(buf_str(text));
	}
	buf_fini(text);
	answer_later(fn, arg);
}

/* ---- endpoints ---------------------------------------------------------- */

struct post {
	post_fn *fn;
	void *arg;
	struct world_post *seen;
};

static unsigned n_pending;

void
post_init(const char *ca_file, const struct addr_nets *allow)
{
	(void)ca_file;
	(void)allow;
}

void
post_stop(void)
{
}

struct post *
post_start(const struct post_request *r)
{
	struct world_post *w = &world.posts[world.n_posts++];
	struct post *p = mem_alloc(sizeof(*p));
	struct buf fields = { 0 };

	bug_on(world.n_posts >= WORLD_POSTS);
	*p = (struct post){ r->fn, r->arg, w };
	*w = (struct world_post){ .post = p, .url = mem_strdup(r->url) };
	w->resolve = r->resolve != NULL ? mem_strdup(r->resolve) : NULL;
	w->body = str_dup(buf_str(r->body));
	w->events = json_loads(w->body, JSON_REJECT_DUPLICATES, NULL);
	for (const char *const *f = r->fields; *f != NULL; f++) {
		buf_printf(&fields, "%s\n", *f);
	}
	w->fields = str_dup(buf_str(&fields));
	buf_fini(&fields);
	buf_fini(r->body);
	n_pending++;
	return p;
}

void
post_cancel(struct post **p)
{
	if (*p != NULL) {
		(*p)->seen->post = NULL;
		free(*p);
		*p = NULL;
		n_pending--;
	}
}

unsigned
post_count(void)
{
	return n_pending;
}

struct world_post *
world_pending(const char *url)
{
	for (unsigned i = 0; i < world.n_posts; i++) {
		if (world.posts[i].post != NULL &&
		    strcmp(world.posts[i].url, url) == 0) {
			return &world.posts[i];
		}
	}
	return NULL;
}

void
world_answer(struct world_post *w, int status, const char *retry_after)
{
	struct post_result r = { .status = status,
		.error = status == 0 ? "no answer" : NULL,
		.retry_after = str_of(retry_after) };
	struct post *p = w->post;

	w->post = NULL;
	n_pending--;
	p->fn(p->arg, &r);
	free(p);
	fake_loop_settle();
}

void
world_numbers(const struct world_post *p, struct buf *out)
{
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(p->events, "events"), i, event)
	{
		json_t *d = json_object_get(event, "details");

		buf_printf(out, "%s%lld", out->len != 0 ? " " : "",
		    (long long)json_integer_value(
			json_object_get(d, "attempt")));
	}
	buf_u8(out, 0);
	out->len--;
}

/* ---- the journal -------------------------------------------------------- */

static uint64_t end_lsn;
static int file_fds[64]; /* by number */

/* The first one that retention has left. */
static uint32_t
oldest_file(void)
{
	uint32_t n = 1;

	while (n < world.file.number && file_fds[n] < 0) {
		n++;
	}
	return n;
}

static void
give_file(uint32_t number)
{
	const struct ipc_journal_file m = { .number = number,
		.is_missing = file_fds[number] < 0,
		.oldest = oldest_file() };

	if (!world.holds_files) {
		journal_feed_on_file(
		    &m, file_fds[number] < 0 ? -1 : dup(file_fds[number]));
	}
}

void
world_durable(void)
{
	const struct ipc_journal_durable m = { .lsn = end_lsn };

	journal_feed_on_durable(&m);
	for (uint32_t i = 1; i <= world.file.number; i++) {
		give_file(i);
	}
	fake_loop_settle();
}

void
world_new_qmgr(void)
{
	const uint32_t number = world.file.number + 1;
	const struct ipc_journal_file none = { .number = number,
		.is_missing = 1 };

	end_lsn = journal_lsn(number, 0);
	world_durable();
	journal_feed_on_file(&none, -1);
	fake_loop_settle();
}

uint64_t
world_event(enum event_type type, const void *event)
{
	uint64_t lsn = journal_file_add(&world.file, type, event);

	end_lsn = journal_file_commit(&world.file, clock_wall_us());
	return lsn;
}

uint64_t
world_events(uint32_t account, unsigned from, unsigned n)
{
	uint64_t first = 0;

	for (unsigned i = from; i < from + n; i++) {
		const struct event_delivery e = { .time_us = clock_wall_us(),
			.msgid = { { 1, (uint8_t)(i / 7) } },
			.account = account,
			.attempt = i,
			.rcpt_to = STR("b@sink.test") };
		uint64_t lsn =
		    journal_file_add(&world.file, EVENT_delivery, &e);

		first = first == 0 ? lsn : first;
		if (i % 50 == 49 || i + 1 == from + n) {
			end_lsn =
			    journal_file_commit(&world.file, clock_wall_us());
		}
	}
	return first;
}

void
world_next_file(void)
{
	uint32_t number = world.file.number + 1;

	if (world.file.number != 0) {
		buf_fini(&world.file.recs);
	}
	bug_on(number >= array_len(file_fds));
	journal_file_make(&world.file, -1, number, clock_wall_us());
	file_fds[number] = world.file.fd;
}

void
world_remove_file(uint32_t number)
{
	(void)close(file_fds[number]);
	file_fds[number] = -1;
}

/* ---- accountd ----------------------------------------------------------- */

static peer_fn *
handler(enum ipc_type type)
{
	const struct peer_handler *h = webhookd_handlers;

	while (h->type != type) {
		bug_on(h->fn == NULL);
		h++;
	}
	return h->fn;
}

void
world_tell(const struct ipc_hook *m)
{
	handler(IPC_hook)(NULL, 0, m);
	fake_loop_settle();
}

struct hook *
world_hook(uint32_t id, uint32_t account, const char *url)
{
	const struct ipc_hook m = { .hook = id,
		.account = account,
		.account_name = STR("shop"),
		.url = str_of(url),
		.secret = STR("whsec_test"),
		.created_us = FAKE_START_US };

	world_tell(&m);
	return hooks_find(id);
}

void
world_hooks_end(void)
{
	const struct ipc_tenants_end m = { .none = 0 };

	handler(IPC_tenants_end)(NULL, 0, &m);
	fake_loop_settle();
}

/* ---- begin and end ------------------------------------------------------ */

static void
set_conf(void)
{
	world_conf = (struct conf){ .webhook_allow_networks = "",
		.webhook_CAfile = "",
		.webhook_ports = "443",
		.webhook_retry_schedule = "10s 60s 600s",
		.webhook_batch_limit = 500,
		.webhook_batch_size = 1 << 20,
		.webhook_batch_time = US_PER_S,
		.webhook_connection_limit = 1000,
		.webhook_dead_letter_limit = 3,
		.webhook_proxy = "",
		.webhook_response_limit = 65536,
		.webhook_retry_after_limit = 3600 * US_PER_S,
		.webhook_retry_lifetime = 86400 * US_PER_S,
		.webhook_timeout = 30 * US_PER_S };
}

/* progress_start reads a real file. */
static void
put_cursors(void)
{
	(void)unlink(CURSOR_FILE);
	if (world.cursors != NULL) {
		FILE *f = fopen(CURSOR_FILE, "w");

		bug_on(f == NULL);
		fputs(world.cursors, f);
		(void)fclose(f);
	}
}

static char directory[] = "/tmp/test_webhookd.XXXXXX";
static char here[4096];

void
world_begin(bool again)
{
	loop_init();
	set_conf();
	if (!again) {
		bug_on(getcwd(here, sizeof(here)) == NULL);
		memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
		bug_on(mkdtemp(directory) == NULL || chdir(directory) < 0);
		for (size_t i = 0; i < array_len(file_fds); i++) {
			file_fds[i] = -1;
		}
		world_next_file();
		end_lsn = 0;
	}
	put_cursors();
	webhookd_init();
	webhookd_start();
}

static void
forget_posts(void)
{
	for (unsigned i = 0; i < world.n_posts; i++) {
		free(world.posts[i].url);
		free(world.posts[i].resolve);
		free(world.posts[i].body);
		free(world.posts[i].fields);
		json_decref(world.posts[i].events);
	}
	world.n_posts = 0;
}

void
world_end(bool keeps)
{
	webhookd_stop();
	forget_posts();
	loop_fini();
	if (keeps) {
		return;
	}
	for (size_t i = 0; i < array_len(file_fds); i++) {
		if (file_fds[i] >= 0) {
			(void)close(file_fds[i]);
		}
	}
	buf_fini(&world.file.recs);
	free(world.cursors);
	(void)unlink(CURSOR_FILE);
	bug_on(chdir(here) < 0);
	(void)rmdir(directory);
	world = (struct world){ .n_posts = 0 };
}
