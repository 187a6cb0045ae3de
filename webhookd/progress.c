#include "progress.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "map.h"
#include "saver.h"
#include "tail.h"

#define SAVE_AFTER_US (US_PER_S / 2)
/* Idle endpoints go forward too, so that a restart need not read far. */
#define SAVE_IDLE_US (30 * US_PER_S)

static struct progress {
	struct map *saved; /* struct cursor by hook */
	struct loop_timer *timer;
	bool is_changed;
	bool is_saving;
	bool is_damaged;
	void (*done)(void);
	bool is_loaded;		      /* the endpoints have their places */
	struct progress_wait *next;   /* for the next save */
	struct progress_wait *saving; /* for the one under way */
} progress;

static void
cursor_free(void *arg)
{
	struct cursor *c = arg;

	if (c != NULL) {
		dead_fini(&c->dead);
		free(c);
	}
}

static void
keep(void *arg, const struct cursor *c)
{
	struct cursor *mine = mem_dup(c, sizeof(*c));

	(void)arg;
	mine->dead = (struct dead_list){ 0 };
	dead_copy(&mine->dead, &c->dead);
	cursor_free(map_put_u64(progress.saved, c->hook, mine));
}

static void save(void *arg);

void
progress_start(void)
{
	struct buf text = { 0 };
	int r = file_load(CURSOR_FILE, SIZE_MAX, &text);

	progress.saved = map_new();
	progress.timer = loop_timer_new(save, NULL);
	if (r == 0) {
		r = cursor_parse(buf_str(&text), keep, NULL);
	}
	if (r < 0 && r != -ENOENT) {
		log_error("%s: %s: events of the last webhook_retry_lifetime "
			  "are sent again",
		    CURSOR_FILE, strerror(-r));
		progress.is_damaged = true;
	}
	buf_fini(&text);
	loop_timer_arm(progress.timer, SAVE_IDLE_US);
}

void
progress_stop(void)
{
	loop_timer_free(&progress.timer);
	map_free(&progress.saved, cursor_free);
	progress = (struct progress){ .saved = NULL };
}

bool
progress_is_damaged(void)
{
	return progress.is_damaged;
}

bool
progress_load(struct hook *h)
{
	const struct cursor *c = map_get_u64(progress.saved, h->id);

	if (c == NULL) {
		return false;
	}
	h->place = c->place;
	h->failures = c->failures;
	h->failing_us = c->failing_us;
	h->begin_us = c->begin_us;
	h->asked_us = c->asked_us;
	dead_copy(&h->dead, &c->dead);
	return c->place.after != 0;
}

/* ---- saving ------------------------------------------------------------- */

/* Each may wait again from its call. */
static void
answer(struct progress_wait *list, int status)
{
	while (list != NULL) {
		struct progress_wait *w = list;

		list = w->next;
		w->is_waiting = false;
		w->fn(w->arg, status);
	}
}

static void
on_saved(void *arg, int status)
{
	struct progress_wait *waiting = progress.saving;

	(void)arg;
	progress.is_saving = false;
	progress.saving = NULL;
	answer(waiting, status);
	if (status < 0) {
		progress.is_changed = true;
	}
	if (progress.done != NULL) {
		progress.done();
		return;
	}
	if (progress.next != NULL) {
		save(NULL);
		return;
	}
	loop_timer_arm(
	    progress.timer, progress.is_changed ? SAVE_AFTER_US : SAVE_IDLE_US);
}

static void
add(struct hook *h, void *arg)
{
	struct cursor c = { .hook = h->id,
		.failures = h->failures,
		.failing_us = h->failing_us,
		.begin_us = h->begin_us,
		.asked_us = h->asked_us,
		.dead = h->dead };

	/* One that has no place yet finds its begin again. */
	if (h->state != HOOK_NEW && !h->must_locate) {
		c.place = hook_place(h, tail_place());
	}
	cursor_add(arg, &c);
}

/* Accountd may not have told of these yet. */
static void
add_saved(struct buf *text)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(progress.saved, &at, &key, &value)) {
		const struct cursor *c = value;

		if (hooks_find(c->hook) == NULL) {
			cursor_add(text, c);
		}
	}
}

static void
save(void *arg)
{
	struct buf text = { 0 };

	(void)arg;
	progress.is_changed = false;
	progress.is_saving = true;
	progress.saving = progress.next;
	progress.next = NULL;
	cursor_begin(&text);
	if (!progress.is_loaded) {
		add_saved(&text);
	}
	hooks_each(add, &text);
	cursor_end(&text);
	saver_replace(CURSOR_FILE, &text, on_saved, NULL);
}

void
progress_loaded(void)
{
	progress.is_loaded = true;
}

void
progress_changed(void)
{
	if (progress.is_changed) {
		return;
	}
	progress.is_changed = true;
	if (!progress.is_saving) {
		loop_timer_arm(progress.timer, SAVE_AFTER_US);
	}
}

void
progress_wait(struct progress_wait *w)
{
	w->next = progress.next;
	w->is_waiting = true;
	progress.next = w;
	if (!progress.is_saving) {
		loop_timer_arm(progress.timer, 0);
	}
}

static bool
unlink_wait(struct progress_wait **list, const struct progress_wait *w)
{
	while (*list != NULL && *list != w) {
		list = &(*list)->next;
	}
	if (*list == NULL) {
		return false;
	}
	*list = w->next;
	return true;
}

void
progress_wait_cancel(struct progress_wait *w)
{
	if (w->is_waiting && !unlink_wait(&progress.next, w)) {
		(void)unlink_wait(&progress.saving, w);
	}
	w->is_waiting = false;
}

void
progress_finish(void (*done)(void))
{
	progress.done = done;
	loop_timer_stop(progress.timer);
	save(NULL);
}
