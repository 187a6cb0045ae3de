#include "hook.h"

#include <string.h>

#include "log.h"
#include "mandrill.h"
#include "map.h"
#include "post.h"
#include "service.h"
#include "told.h"

/* What an endpoint hears of that did not choose: CloudMailin's kinds. */
#define KIND(name) (1ULL << EVENT_##name)
#define KINDS_DEFAULT                                                          \
	(KIND(delivery) | KIND(deferral) | KIND(bounce) | KIND(soft_bounce) |  \
	    KIND(complaint) | KIND(blocked) | KIND(open) | KIND(click))

static struct {
	struct map *by_id;
	struct map *by_account; /* first of the account's list */
} hooks;

void (*hook_on_delete)(struct hook *h);

void
hooks_start(void)
{
	hooks.by_id = map_new();
	hooks.by_account = map_new();
}

static void
set_bytes(struct buf *b, struct str s)
{
	if (b->cap != 0) {
		explicit_bzero(b->p, b->cap);
	}
	b->len = 0;
	buf_add(b, s.p, s.len);
}

static void
wipe(struct buf *b)
{
	set_bytes(b, (struct str){ 0 });
	buf_fini(b);
}

static void
hook_free(struct hook *h)
{
	if (hook_on_delete != NULL) {
		hook_on_delete(h);
	}
	loop_timer_free(&h->timer);
	loop_defer_cancel(&h->step);
	ring_fini(&h->ring);
	dead_fini(&h->dead);
	url_fini(&h->url);
	wipe(&h->secret);
	wipe(&h->old_secret);
	free(h->name);
	free(h->url_text);
	free(h->resolve);
	free(h);
}

static void
leave_account(struct hook *h)
{
	struct hook *first = hooks_of_account(h->account);

	if (first == h) {
		(void)map_del_u64(hooks.by_account, h->account);
		if (h->next_of_account != NULL) {
			(void)map_put_u64(
			    hooks.by_account, h->account, h->next_of_account);
		}
		return;
	}
	while (first != NULL && first->next_of_account != h) {
		first = first->next_of_account;
	}
	if (first != NULL) {
		first->next_of_account = h->next_of_account;
	}
}

static void
hook_delete(struct hook *h)
{
	leave_account(h);
	(void)map_del_u64(hooks.by_id, h->id);
	hook_free(h);
}

void
hooks_stop(void)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(hooks.by_id, &at, &key, &value)) {
		hook_free(value);
	}
	map_free(&hooks.by_id, NULL);
	map_free(&hooks.by_account, NULL);
}

static struct hook *
hook_new(const struct ipc_hook *m)
{
	struct hook *h = mem_alloc(sizeof(*h));

	h->id = m->hook;
	h->account = m->account;
	h->created_us = m->created_us;
	h->begin_us = m->created_us;
	h->batch_max = conf()->webhook_batch_limit;
	h->next_of_account = map_put_u64(hooks.by_account, h->account, h);
	(void)map_put_u64(hooks.by_id, h->id, h);
	return h;
}

static void
set_url(struct hook *h, struct str text)
{
	struct url_ports ports;

	if (h->url_text != NULL && str_is(text, h->url_text)) {
		return;
	}
	free(h->url_text);
	h->url_text = str_dup(text);
	url_fini(&h->url);
	free(h->resolve);
	h->resolve = NULL;
	h->url_error = NULL;
	if (url_ports_parse(conf()->webhook_ports, &ports) < 0 ||
	    url_parse(text, conf()->webhook_allow_http, &ports, &h->url,
		&h->url_error) < 0) {
		char safe[256];

		log_warn("hook %u: url %s is refused: %s", (unsigned)h->id,
		    str_safe(safe, sizeof(safe), text),
		    h->url_error != NULL ? h->url_error : "webhook_ports");
	}
}

static uint64_t
kinds_of(const struct ipc_hook *m)
{
	uint64_t kinds = m->kinds != 0 ? m->kinds : KINDS_DEFAULT;

	for (unsigned type = 0; type < 64; type++) {
		const struct event_desc *d = event_desc(type);

		if (d == NULL || d->scope != EVENT_SCOPE_WEBHOOK ||
		    (m->format == HOOK_MANDRILL &&
			mandrill_kind(type) == NULL)) {
			kinds &= ~(1ULL << type);
		}
	}
	return kinds;
}

/* Works again from now on, whatever was before. */
static void
enable(struct hook *h)
{
	h->is_disabled = false;
	h->is_given_up = false;
	h->failures = 0;
	h->failing_us = 0;
	if (h->state == HOOK_RETRY) {
		loop_timer_stop(h->timer);
		h->state = HOOK_READY;
	}
}

/* An answer of accountd may be older than what we told it. */
static void
set_disabled(struct hook *h, bool is_disabled)
{
	if (is_disabled) {
		h->is_disabled = true;
		h->is_given_up = false;
	} else if (h->is_given_up) {
		told_disabled(h);
	} else if (h->is_disabled) {
		enable(h);
	}
}

/* Events that wait were chosen by other rules: they are read again. */
static void
set_choice(struct hook *h, const struct ipc_hook *m, struct journal_place tail)
{
	uint64_t kinds = kinds_of(m);

	if (h->state != HOOK_NEW &&
	    (h->kinds != kinds || h->subaccount != m->subaccount)) {
		hook_rewind(h, hook_place(h, tail));
	}
	h->kinds = kinds;
	h->subaccount = m->subaccount;
	h->format = m->format;
}

struct hook *
hooks_update(const struct ipc_hook *m, struct journal_place tail, bool *is_new)
{
	struct hook *h = hooks_find(m->hook);

	*is_new = false;
	if (m->is_deleted) {
		if (h != NULL) {
			hook_delete(h);
		}
		return NULL;
	}
	if (h == NULL) {
		h = hook_new(m);
		*is_new = true;
	}
	h->is_seen = true;
	set_choice(h, m, tail);
	set_disabled(h, m->is_disabled != 0);
	free(h->name);
	h->name = str_dup(m->account_name);
	set_bytes(&h->secret, m->secret);
	set_bytes(&h->old_secret, m->old_secret);
	set_url(h, m->url);
	return h;
}

static void
mark_unseen(struct hook *h, void *arg)
{
	(void)arg;
	h->is_seen = false;
}

void
hooks_begin(void)
{
	hooks_each(mark_unseen, NULL);
}

void
hooks_end(void)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(hooks.by_id, &at, &key, &value)) {
		struct hook *h = value;

		if (!h->is_seen) {
			hook_delete(h);
		}
	}
}

struct hook *
hooks_find(uint32_t id)
{
	return map_get_u64(hooks.by_id, id);
}

size_t
hooks_count(void)
{
	return map_len(hooks.by_id);
}

void
hooks_each(void (*fn)(struct hook *h, void *arg), void *arg)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(hooks.by_id, &at, &key, &value)) {
		fn(value, arg);
	}
}

struct hook *
hooks_of_account(uint32_t account)
{
	return map_get_u64(hooks.by_account, account);
}

bool
hook_wants(const struct hook *h, unsigned type, const struct event_common *c)
{
	return type < 64 && (h->kinds >> type & 1) != 0 &&
	    c->account == h->account &&
	    (h->subaccount == 0 || c->subaccount == h->subaccount) &&
	    (c->time_us >= h->begin_us || h->redo_until != 0);
}

struct journal_place
hook_place(const struct hook *h, struct journal_place tail)
{
	if (h->redo_until != 0) {
		return h->resume;
	}
	if (h->ring.n != 0) {
		return ring_place(&h->ring);
	}
	return h->is_live && tail.after > h->place.after ? tail : h->place;
}

void
hook_rewind(struct hook *h, struct journal_place place)
{
	ring_fini(&h->ring);
	h->place = place;
	h->is_live = false;
	h->redo_until = 0;
	h->is_redo_read = false;
	h->batch_items = 0; /* those under way are not these any more */
}
