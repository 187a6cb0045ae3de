/*
 * suppress.list: entries in batches, as fast as the tool takes them.
 * (suppress.change: suppress_change.c)
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "loop.h"
#include "suppress_change.h"
#include "suppress_row.h"
#include "suppressions.h"

/* Entries in one turn of the loop. */
#define BATCH 500

struct listing {
	struct tool *tool;
	struct loop_timer *timer;
	struct buf prefix;
	struct buf after; /* key of the last entry shown */
	uint64_t now_us;
	unsigned left; /* of this turn */
};

static void
listing_free(struct listing *l)
{
	loop_timer_free(&l->timer);
	buf_fini(&l->prefix);
	buf_fini(&l->after);
	free(l);
}

static const char *
status_of(const struct schema_suppression *e, uint64_t now_us)
{
	if (str_is(e->reason, SUPPRESSION_ALLOW)) {
		return "allowed";
	}
	return e->expires_us == 0 || e->expires_us > now_us ? "active"
							    : "expired";
}

static json_t *
json_of_time(uint64_t us)
{
	char text[SUPPRESS_TIME_SIZE];

	suppress_time_print(us, text);
	return us == 0 ? json_null() : json_string(text);
}

static int
show(void *arg, struct str key, struct str value)
{
	struct listing *l = arg;
	struct suppression_key k;
	struct schema_suppression e;
	const struct account *sub;

	buf_clear(&l->after, SIZE_MAX);
	buf_add(&l->after, key.p, key.len);
	if (suppressions_key_parse(key, &k) < 0 ||
	    schema_decode(SCHEMA_suppression, value, &e) < 0) {
		return -EBADMSG;
	}
	sub = k.subaccount != 0 ? model_account(accountd.model, k.subaccount)
				: NULL;
	/* What a deleted subaccount has left is being removed. */
	if (k.subaccount == 0 || sub != NULL) {
		tool_out(l->tool,
		    json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:I}",
			"address", command_text(k.address), "subaccount",
			command_text(sub != NULL ? sub->r.name : STR("")),
			"reason", command_text(e.reason), "status",
			status_of(&e, l->now_us), "detail",
			command_text(e.detail), "created",
			json_of_time(e.created_us), "expires",
			json_of_time(e.expires_us), "last_event",
			json_of_time(e.last_us), "count",
			(json_int_t)(e.count != 0 ? e.count : 1)));
	}
	return --l->left == 0;
}

static void
show_more(void *arg)
{
	struct listing *l = arg;
	struct tool *t = l->tool;
	int r;

	l->left = BATCH;
	r = store_each_after(accountd.store, STORE_SUPPRESSION,
	    buf_str(&l->prefix), buf_str(&l->after), show, l);
	if (r == 1) {
		/* A full tool tells when it is drained. */
		if (!tool_is_full(t)) {
			loop_timer_arm(l->timer, 0);
		}
		return;
	}
	listing_free(l);
	tool_async(t, NULL, NULL, NULL);
	if (r < 0) {
		tool_end(t, EX_IOERR, "the database cannot be read");
	} else {
		tool_end(t, EX_OK, NULL);
	}
}

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	listing_free(arg);
}

static void
on_drained(struct tool *t, void *arg)
{
	struct listing *l = arg;

	(void)t;
	if (!loop_timer_is_armed(l->timer)) {
		loop_timer_arm(l->timer, 0);
	}
}

static void
suppress_list(struct tool *t)
{
	const struct account *a = command_account(t);
	struct listing *l;
	uint32_t account;
	uint32_t sub;

	if (a == NULL) {
		return;
	}
	l = mem_alloc(sizeof(*l));
	l->tool = t;
	l->now_us = clock_wall_us();
	l->timer = loop_timer_new(show_more, l);
	command_ids(a, &account, &sub);
	model_key_u32(&l->prefix, account);
	if (sub != 0) {
		model_key_u32(&l->prefix, sub);
	}
	tool_async(t, on_gone, on_drained, l);
	loop_timer_arm(l->timer, 0);
}

const struct command suppress_commands[] = {
	{ "suppress.list", suppress_list },
	{ "suppress.change", suppress_change },
	{ 0 },
};
