#include "pblog_trace.h"

#include <string.h>

#include "json_put.h"
#include "pblog_show.h"

#define RCPTS 65536

/* What is known last about a recipient. */
struct rcpt {
	char *address; /* NULL: not heard of */
	unsigned type;
	unsigned attempts;
	uint64_t time_us;
	uint64_t next_us;
};

struct pblog_trace {
	struct rcpt *rcpts; /* by ordinal */
	unsigned n;	    /* the highest heard of, and one */
	uint64_t begin_us;
};

struct pblog_trace *
pblog_trace_new(void)
{
	struct pblog_trace *t = mem_alloc(sizeof(*t));

	t->rcpts = mem_alloc(RCPTS * sizeof(*t->rcpts));
	return t;
}

void
pblog_trace_free(struct pblog_trace **at)
{
	struct pblog_trace *t = *at;

	if (t == NULL) {
		return;
	}
	for (unsigned i = 0; i < t->n; i++) {
		free(t->rcpts[i].address);
	}
	free(t->rcpts);
	free(t);
	*at = NULL;
}

static struct rcpt *
rcpt_at(struct pblog_trace *t, unsigned i, struct str address)
{
	char text[1100];

	if (t->rcpts[i].address == NULL) {
		t->rcpts[i].address =
		    mem_strdup(str_safe(text, sizeof(text), address));
		t->n = i >= t->n ? i + 1 : t->n;
	}
	return &t->rcpts[i];
}

static void
note_recipients(struct pblog_trace *t, const struct event_accepted *a)
{
	struct str rest = a->rcpts;
	struct event_rcpt r;

	for (unsigned i = 0; i < RCPTS && event_rcpt_next(&rest, &r); i++) {
		struct rcpt *to = rcpt_at(t, i, r.address);

		to->type = EVENT_accepted;
		to->time_us = a->time_us;
	}
}

/* Reports that come after the end do not change how it ended. */
static bool
is_state(unsigned type)
{
	switch (type) {
	case EVENT_delivery:
	case EVENT_deferral:
	case EVENT_bounce:
	case EVENT_soft_bounce:
	case EVENT_blocked:
	case EVENT_held:
	case EVENT_released:
	case EVENT_deleted:
	case EVENT_consumed:
	case EVENT_rate_limit:
		return true;
	default:
		return false;
	}
}

static void
note(struct pblog_trace *t, const struct event_view *v)
{
	const struct event_common *c = v->event;
	struct rcpt *r;

	if (v->type == EVENT_accepted) {
		note_recipients(t, v->event);
		return;
	}
	if (!is_state(v->type)) {
		return;
	}
	r = rcpt_at(t, c->rcpt, event_recipient(v));
	r->type = v->type;
	r->time_us = c->time_us;
	r->next_us = event_number(v, "next_try_us");
	if (event_number(v, "attempt") > r->attempts) {
		r->attempts = (unsigned)event_number(v, "attempt");
	}
}

static void
put_seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, "%llu.%03llu", (unsigned long long)(us / 1000000),
	    (unsigned long long)(us % 1000000 / 1000));
}

/* The dialogue that deliver kept of a failed attempt. */
static void
put_transcript(struct buf *out, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		char safe[2048];

		buf_printf(out, "        | %s\n",
		    str_safe(safe, sizeof(safe), str_trim(line)));
	}
}

static void
put_delays(struct buf *out, const struct event_view *v)
{
	static const char *const names[] = { "dns", "connect", "tls", "helo",
		"mail", "rcpt", "data" };
	bool any = false;

	for (size_t i = 0; i < array_len(names); i++) {
		char field[32] = "delays_";
		uint64_t ms;

		strcat(strcat(field, names[i]), "_ms");
		ms = event_number(v, field);
		if (ms != 0) {
			buf_printf(out, "%s%s %llu ms",
			    any ? ", " : "        time: ", names[i],
			    (unsigned long long)ms);
			any = true;
		}
	}
	if (any) {
		buf_puts(out, "\n");
	}
}

void
pblog_trace_add(
    struct pblog_trace *t, struct buf *out, const struct event_view *v)
{
	const struct event_common *c = v->event;
	char when[JSON_TIME_SIZE];
	struct buf facts = { 0 };

	if (!event_desc(v->type)->has_common) {
		return;
	}
	if (t->begin_us == 0) {
		t->begin_us = c->time_us;
	}
	json_time(c->time_us, when);
	buf_printf(out, "%s +", when);
	put_seconds(
	    out, c->time_us > t->begin_us ? c->time_us - t->begin_us : 0);
	buf_printf(out, " %s: ", event_desc(v->type)->name);
	pblog_show_facts(&facts, v);
	buf_add(out, facts.p, facts.len);
	buf_fini(&facts);
	buf_puts(out, "\n");
	put_delays(out, v);
	put_transcript(out, event_text(v, "transcript"));
	note(t, v);
}

static bool
is_final(unsigned type)
{
	return type == EVENT_delivery || type == EVENT_bounce ||
	    type == EVENT_soft_bounce || type == EVENT_blocked ||
	    type == EVENT_deleted || type == EVENT_consumed;
}

static void
put_end(const struct rcpt *r, struct buf *out)
{
	char when[JSON_TIME_SIZE];

	buf_printf(out, "%s: ", r->address);
	if (r->type == EVENT_accepted || r->type == EVENT_released) {
		buf_puts(out, "queued");
	} else {
		buf_puts(out, event_desc(r->type)->name);
	}
	if (r->attempts != 0) {
		buf_printf(out, ", %u attempt%s", r->attempts,
		    r->attempts == 1 ? "" : "s");
	}
	if (is_final(r->type)) {
		json_time(r->time_us, when);
		buf_printf(out, ", final since %s", when);
	} else if (r->next_us != 0) {
		json_time(r->next_us, when);
		buf_printf(out, ", next attempt at %s", when);
	}
	buf_puts(out, "\n");
}

void
pblog_trace_end(const struct pblog_trace *t, struct buf *out)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (t->rcpts[i].address != NULL) {
			put_end(&t->rcpts[i], out);
		}
	}
}
