#include "rotating.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "domain.h"
#include "domain_add.h"
#include "domain_keys.h"
#include "expiry.h"
#include "herald.h"
#include "log.h"
#include "service.h"

#define KEY_TIMEOUT_US (20 * US_PER_S)
#define SOON_US (60 * US_PER_S)
#define ALERT "dkim_rotation"

/* Something that signd does for a domain's other keys. */
struct work {
	struct work *next;
	struct tool *tool; /* NULL: none, or gone */
	uint32_t account;
	uint64_t created_us; /* of the domain */
	char name[DOMAIN_NAME_MAX + 1];
};

static struct work *works;

struct rotation_times
rotating_times(void)
{
	return (struct rotation_times){
		.wait_us = conf()->dkim_rotate_wait,
		.keep_us = conf()->dkim_rotate_keep,
		.after_us = conf()->dkim_rotate_after,
	};
}

/* ---- what signd works at ---------------------------------------------------
 */

static bool
is_worked_at(const struct domain *d)
{
	for (const struct work *w = works; w != NULL; w = w->next) {
		if (w->account == d->r.account && str_is(d->r.name, w->name)) {
			return true;
		}
	}
	return false;
}

static void
on_gone(struct tool *t, void *arg)
{
	struct work *w = arg;

	(void)t;
	w->tool = NULL; /* the keys are made all the same */
}

static struct work *
work_new(const struct domain *d, struct tool *t)
{
	struct work *w = mem_alloc(sizeof(*w));

	w->tool = t;
	w->account = d->r.account;
	w->created_us = d->r.created_us;
	str_copy(w->name, sizeof(w->name), d->r.name);
	w->next = works;
	works = w;
	if (t != NULL) {
		tool_async(t, on_gone, NULL, w);
	}
	return w;
}

static void
work_free(struct work *w)
{
	struct work **at = &works;

	while (*at != w) {
		at = &(*at)->next;
	}
	*at = w->next;
	free(w);
}

/* NULL: it was deleted meanwhile, or is another one of that name. */
static const struct domain *
domain_of(const struct work *w)
{
	const struct domain *d =
	    model_domain(accountd.model, w->account, str_of(w->name));

	return d != NULL && d->r.created_us == w->created_us ? d : NULL;
}

void
rotating_stop(void)
{
	while (works != NULL) {
		work_free(works);
	}
}

/* ---- telling -------------------------------------------------------------
 */

static void
tell(const struct schema_domain *d)
{
	log_info("domain=%.*s, account=%u, rotation=%s, selector=%.*s, "
		 "other=%.*s",
	    STR_ARG(d->name), d->account, rotation_name(d->rotation),
	    STR_ARG(d->selector1), STR_ARG(d->other1));
}

/* The owner has to publish something that he has not asked for. */
static void
alert(const struct schema_domain *d, bool is_over, const char *text)
{
	const struct account *a = model_account(accountd.model, d->account);

	if (a != NULL) {
		herald_tell(ALERT_DOMAIN, a, ALERT, is_over, "%.*s %s",
		    STR_ARG(d->name), text);
	}
}

/* ---- the next keys ---------------------------------------------------------
 */

/* Returns 0 or -errno. */
static int
store_next(const struct domain *d, const struct domain_keys *keys)
{
	struct schema_domain new = d->r;
	struct change *c = change_begin(accountd.model);
	int r;

	rotation_begin(&new, keys->selector1, keys->record1, keys->selector2,
	    keys->record2, clock_wall_us());
	r = change_put(c, SCHEMA_domain, &new);
	if (r == 0) {
		tell(&new);
		r = change_commit(&c);
	}
	change_abort(&c);
	return r;
}

static void
answer_tool(struct work *w, const struct domain *d, int error)
{
	tool_async(w->tool, NULL, NULL, NULL);
	if (d == NULL) {
		tool_end(
		    w->tool, EX_NOUSER, "the domain was deleted meanwhile");
	} else if (error < 0) {
		tool_end(w->tool, EX_TEMPFAIL,
		    "the next keys cannot be stored: %s", strerror(-error));
	} else {
		command_done(w->tool, domain_json(domain_of(w)));
	}
}

static void
on_keys(void *arg, const struct domain_keys *keys, const char *error)
{
	struct work *w = arg;
	const struct domain *d = domain_of(w);
	bool is_by_schedule = w->tool == NULL;
	int r = 0;

	if (keys == NULL) {
		log_warn("domain=%s, account=%u: no next keys: %s", w->name,
		    w->account, error);
		if (w->tool != NULL) {
			tool_async(w->tool, NULL, NULL, NULL);
			tool_end(w->tool, EX_TEMPFAIL, "signd makes no key: %s",
			    error);
		}
		work_free(w);
		return;
	}
	if (d != NULL) {
		r = store_next(d, keys);
	}
	if (r < 0) {
		log_error("next keys of %s are not stored: %s", w->name,
		    strerror(-r));
	} else if (d != NULL && is_by_schedule) {
		alert(&domain_of(w)->r, false,
		    "has new DKIM keys: publish the records that pbdomain "
		    "show prints as dkim-next");
	}
	if (w->tool != NULL) {
		answer_tool(w, d, r);
	}
	work_free(w);
}

static void
begin(const struct domain *d, struct tool *t)
{
	struct work *w = work_new(d, t);
	char selector1[SELECTOR_SIZE];
	char selector2[SELECTOR_SIZE];

	rotation_selector(&d->r, clock_wall_us(), 'r', selector1);
	rotation_selector(&d->r, clock_wall_us(), 'e', selector2);
	domain_keys_make(d->r.account, d->r.name, str_of(selector1),
	    str_of(selector2), on_keys, w);
}

/* ---- the last keys ---------------------------------------------------------
 */

static void
on_retired(void *arg, enum ipc_type type, const void *msg)
{
	const struct ipc_key_retire_rep *m = msg;
	struct work *w = arg;
	const struct domain *d = domain_of(w);
	struct schema_domain new;
	struct change *c;
	int r;

	(void)type;
	/* signd has logged its failure; the next check tries again. */
	if (m == NULL || m->status != 0 || d == NULL ||
	    (d->r.rotation != ROTATION_KEEP &&
		d->r.rotation != ROTATION_CANCEL)) {
		work_free(w);
		return;
	}
	new = d->r;
	rotation_release(&new, clock_wall_us());
	tell(&new);
	c = change_begin(accountd.model);
	r = change_put(c, SCHEMA_domain, &new);
	if (r == 0) {
		r = change_commit(&c);
	}
	change_abort(&c);
	if (r < 0) {
		log_error("the end of last keys of %s is not stored: %s",
		    w->name, strerror(-r));
	}
	work_free(w);
}

static void
retire(const struct domain *d)
{
	const struct ipc_key_retire_req m = {
		.account = d->r.account,
		.domain = d->r.name,
		.selector1 = d->r.other1,
		.selector2 = d->r.other2,
	};
	struct work *w = work_new(d, NULL);

	if (peer_call(service_peer(ROLE_SIGND, 0), IPC_key_retire_req, &m, -1,
		KEY_TIMEOUT_US, on_retired, w, NULL) < 0) {
		on_retired(w, (enum ipc_type)0, NULL);
	}
}

/* ---- with the checks -------------------------------------------------------
 */

void
rotating_checked(const struct domain *d, const struct ipc_dkim_rep *rep)
{
	const struct rotation_times times = rotating_times();
	struct schema_domain new = d->r;
	struct change *c = change_begin(accountd.model);
	bool changed = rotation_judge(&new, rep, &times, clock_wall_us());
	bool has_taken_over = changed && new.rotation == ROTATION_KEEP;
	struct buf name = { 0 };
	uint32_t account = d->r.account;
	int r;

	buf_add(&name, d->r.name.p, d->r.name.len);
	if (changed) {
		tell(&new);
	}
	r = change_put(c, SCHEMA_domain, &new);
	if (r == 0) {
		r = change_commit(&c);
	}
	change_abort(&c);
	d = model_domain(accountd.model, account, buf_str(&name));
	if (r < 0) {
		log_error(
		    "the check of next keys is not stored: %s", strerror(-r));
	} else if (has_taken_over) {
		push_domain(d);
		push_changed(account);
		alert(&d->r, true, "is signed with its new DKIM keys");
	}
	buf_fini(&name);
}

void
rotating_go_on(const struct domain *d)
{
	const struct rotation_times times = rotating_times();
	uint64_t now = clock_wall_us();

	if (is_worked_at(d)) {
		return;
	}
	if (rotation_is_kept_enough(&d->r, &times, now)) {
		retire(d);
	} else if (rotation_is_wanted(&d->r, &times, now)) {
		begin(d, NULL);
	}
}

uint64_t
rotating_interval(const struct domain *d, uint64_t most_us)
{
	const struct rotation_times times = rotating_times();
	uint64_t now = clock_wall_us();
	uint64_t due = rotation_due(&d->r, &times);
	uint64_t wait = most_us;

	if (rotation_is_wanted(&d->r, &times, now) ||
	    rotation_is_kept_enough(&d->r, &times, now) ||
	    (due != 0 && due <= now)) {
		wait = SOON_US;
	} else if (due != 0) {
		wait = due - now;
	}
	return wait < most_us ? wait : most_us;
}

/* ---- domain.rotate, domain.set ---------------------------------------------
 */

/* The keys that no longer count go when no crash can bring them back. */
static void
on_cancel_durable(void *arg, int status)
{
	const struct domain *d;
	size_t at = 0;

	(void)arg;
	while (status == 0 && !accountd.is_draining &&
	    (d = model_next_domain(accountd.model, &at)) != NULL) {
		if (d->r.rotation == ROTATION_CANCEL) {
			rotating_go_on(d);
		}
	}
}

static void
cancel(const struct domain *d, struct tool *t)
{
	struct schema_domain new = d->r;
	const char *obstacle = is_worked_at(d)
	    ? "signd is at work on its keys; try again"
	    : rotation_cancel(&new, clock_wall_us());
	char name[DOMAIN_NAME_MAX + 1];
	struct change *c;
	int r;

	if (obstacle != NULL) {
		tool_end(t, EX_DATAERR,
		    "the change of keys of %.*s cannot be cancelled: %s",
		    STR_ARG(d->r.name), obstacle);
		return;
	}
	str_copy(name, sizeof(name), d->r.name);
	c = change_begin(accountd.model);
	r = change_put(c, SCHEMA_domain, &new);
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		d = model_domain(accountd.model, new.account, str_of(name));
		tell(&d->r);
		push_domain(d);
		push_changed(d->r.account);
		alert(&d->r, true,
		    "keeps its DKIM keys: the change was given "
		    "up");
		store_sync(accountd.store, on_cancel_durable, NULL);
		command_done(t, domain_json(d));
	}
}

void
domain_rotate(struct tool *t)
{
	const struct domain *d = domain_arg(t);
	const char *obstacle;

	if (d == NULL) {
		return;
	}
	if (json_is_true(json_object_get(tool_args(t), "cancel"))) {
		cancel(d, t);
		return;
	}
	obstacle = is_worked_at(d) ? "signd is at work on its keys"
				   : rotation_obstacle(&d->r);
	if (obstacle != NULL) {
		tool_end(t,
		    d->r.state == DOMAIN_VERIFIED ? EX_CANTCREAT : EX_DATAERR,
		    "the keys of %.*s cannot be changed now: %s",
		    STR_ARG(d->r.name), obstacle);
		return;
	}
	begin(d, t);
}

/* The one setting: after how long its keys are changed. */
static bool
take_setting(struct tool *t, struct schema_domain *d)
{
	struct str value = str_of(tool_arg(t, "rotate_after"));
	uint64_t span = 0;
	char safe[64];

	if (!str_is(value, "default") && !str_is(value, "off") &&
	    expiry_span(value, &span) < 0) {
		tool_end(t, EX_DATAERR,
		    "rotate_after: \"%s\" is no time: use 180d, off or default",
		    str_safe(safe, sizeof(safe), value));
		return false;
	}
	d->is_rotate_set = !str_is(value, "default");
	d->rotate_after_us = span;
	return true;
}

void
domain_set(struct tool *t)
{
	const struct domain *d = domain_arg(t);
	char name[DOMAIN_NAME_MAX + 1];
	struct schema_domain new;
	struct change *c;
	int r;

	if (d == NULL) {
		return;
	}
	new = d->r;
	if (!take_setting(t, &new)) {
		return;
	}
	str_copy(name, sizeof(name), d->r.name);
	c = change_begin(accountd.model);
	r = change_put(c, SCHEMA_domain, &new);
	if (r < 0) {
		command_failed(t, &c, r);
	} else if (command_commit(t, &c)) {
		command_done(t,
		    domain_json(model_domain(
			accountd.model, new.account, str_of(name))));
	}
}
