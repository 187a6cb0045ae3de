#include "event_json.h"

#include <string.h>

#include "event_id.h"
#include "event_plan.h"
#include "json_put.h"

/* Where the details of one event are written, and what comes to them. */
struct details {
	struct buf *out;
	const char *object; /* the nested one that is open, or "" */
	bool has_size;	    /* the event's own size comes later */
	bool is_joined;	    /* fields of acc, for another event */
};

/* Opens and closes nested objects, which are there only when not empty. */
static void
enter_object(struct details *d, const char *object)
{
	if (strcmp(d->object, object) == 0) {
		return;
	}
	if (d->object[0] != '\0') {
		json_put_close(d->out, '}');
	}
	if (object[0] != '\0') {
		json_put_open(d->out, object, '{');
	}
	d->object = object;
}

static void
put_list(struct buf *out, const char *name, struct str s)
{
	json_put_open(out, name, '[');
	while (s.len != 0) {
		size_t n = 0;

		while (n < s.len && s.p[n] != ',' && s.p[n] != ' ') {
			n++;
		}
		if (n != 0) {
			json_put_comma(out);
			json_put_text(out, (struct str){ s.p, n });
		}
		n += n < s.len;
		s.p += n;
		s.len -= n;
	}
	json_put_close(out, ']');
}

/* A tag may have blanks: only commas part tags. */
static void
put_tags(struct buf *out, const char *name, struct str s)
{
	struct str tag;

	json_put_open(out, name, '[');
	while (str_split(&s, ',', &tag)) {
		tag = str_trim(tag);
		if (tag.len != 0) {
			json_put_comma(out);
			json_put_text(out, tag);
		}
	}
	json_put_close(out, ']');
}

static void
put_rcpts(struct buf *out, const char *name, struct str rcpts)
{
	struct event_rcpt r;

	json_put_open(out, name, '[');
	while (event_rcpt_next(&rcpts, &r)) {
		json_put_comma(out);
		json_put_text(out, r.address);
	}
	json_put_close(out, ']');
}

static void
put_account(struct buf *out, struct str name)
{
	struct str account = { 0 };

	if (str_split(&name, '/', &account)) {
		json_put_str_known(out, "account", account);
		json_put_str_known(out, "subaccount", name);
	}
}

static void
put_hex(struct buf *out, const char *name, uint64_t v)
{
	char text[17];

	for (int i = 15; i >= 0; i--) {
		text[i] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
	json_put_str(out, name, (struct str){ text, 16 });
}

static void
put_number(struct details *d, const struct event_plan *p, uint64_t v)
{
	switch (p->how) {
	case EVENT_HOW_TIME:
		json_put_time(d->out, p->name, v);
		break;
	case EVENT_HOW_CLASS:
		if (v <= CLASS_DIGEST) {
			json_put_str(d->out, p->name,
			    str_of(mail_class_name((enum mail_class)v)));
		}
		break;
	case EVENT_HOW_RET:
		json_put_str(
		    d->out, p->name, v == 1 ? STR("full") : STR("headers"));
		break;
	case EVENT_HOW_FLAGS:
		if ((v & MESSAGE_TEST) != 0) {
			json_put_bool(d->out, p->name, true);
		}
		break;
	case EVENT_HOW_HEX:
		put_hex(d->out, p->name, v);
		break;
	default:
		json_put_num(d->out, p->name, v);
		break;
	}
}

static void
put_string(struct details *d, const struct event_plan *p, struct str s)
{
	switch (p->how) {
	case EVENT_HOW_LIST:
		put_list(d->out, p->name, s);
		break;
	case EVENT_HOW_TAGS:
		put_tags(d->out, p->name, s);
		break;
	case EVENT_HOW_METADATA:
		json_put_object_text(d->out, p->name, s);
		break;
	case EVENT_HOW_ACCOUNT:
		put_account(d->out, s);
		break;
	case EVENT_HOW_RCPTS:
		put_rcpts(d->out, p->name, s);
		break;
	default:
		json_put_str(d->out, p->name, s);
		break;
	}
}

static void
put_uuid(struct buf *out, const char *name, const struct uuid *u)
{
	char text[UUID_TEXT_SIZE];

	if (!uuid_is_null(u)) {
		uuid_print(u, text);
		json_put_str(out, name, str_of(text));
	}
}

/* One field, unless nothing is known. */
static void
put_field(struct details *d, const struct event_plan *p, const void *event)
{
	struct uuid u;

	if (p->how == EVENT_HOW_SKIP ||
	    (d->has_size && strcmp(p->name, "size") == 0) ||
	    /* the others' addresses are no business of this event */
	    (d->is_joined && p->how == EVENT_HOW_RCPTS)) {
		return;
	}
	if (p->how == EVENT_HOW_BOOL) {
		enter_object(d, p->object);
		json_put_bool(d->out, p->name, event_plan_num(p, event) != 0);
		return;
	}
	if (p->type == REC_T_UUID) {
		memcpy(&u, (const uint8_t *)event + p->offset, sizeof(u));
		enter_object(d, p->object);
		put_uuid(d->out, p->name, &u);
		return;
	}
	if (p->type == REC_T_STR || p->type == REC_T_BLOB) {
		struct str s = event_plan_str(p, event);

		if (s.len != 0) {
			enter_object(d, p->object);
			put_string(d, p, s);
		}
		return;
	}
	/* Class 0 is one of the classes. */
	if (event_plan_num(p, event) != 0 || p->how == EVENT_HOW_CLASS) {
		enter_object(d, p->object);
		put_number(d, p, event_plan_num(p, event));
	}
}

static void
put_fields(struct details *d, const struct event_desc *desc, const void *event)
{
	for (const struct event_plan *p = event_plan(desc);
	     p->type != REC_T_END; p++) {
		put_field(d, p, event);
	}
	enter_object(d, "");
}

static const struct event_plan *
find_field(const struct event_view *v, const char *field)
{
	const struct event_desc *d = event_desc(v->type);

	bug_on(d == NULL);
	return event_plan_field(d, field);
}

struct str
event_text(const struct event_view *v, const char *field)
{
	const struct event_plan *p = find_field(v, field);

	return p != NULL ? event_plan_str(p, v->event) : (struct str){ 0 };
}

uint64_t
event_number(const struct event_view *v, const char *field)
{
	const struct event_plan *p = find_field(v, field);

	return p != NULL ? event_plan_num(p, v->event) : 0;
}

static const struct event_accepted *
view_accepted(const struct event_view *v)
{
	return v->type == EVENT_accepted ? v->event : v->acc;
}

/* Which recipient of the message the event is about; false: none. */
static bool
view_rcpt(const struct event_view *v, struct event_rcpt *out)
{
	const struct event_accepted *acc = view_accepted(v);
	const struct event_common *common = v->event;
	struct str rest;
	unsigned n;

	if (acc == NULL || v->type == EVENT_alert) {
		return false;
	}
	n = v->type == EVENT_accepted ? 0 : common->rcpt;
	rest = acc->rcpts;
	do {
		if (!event_rcpt_next(&rest, out)) {
			return false;
		}
	} while (n-- != 0);
	return true;
}

struct str
event_recipient(const struct event_view *v)
{
	struct event_rcpt r = { 0 };
	struct str own = event_text(v, "rcpt_to");

	if (own.len == 0 && event_desc(v->type)->has_common &&
	    view_rcpt(v, &r)) {
		return r.address;
	}
	return own;
}

static void
put_notify(struct buf *out, uint8_t notify)
{
	static const char *const names[] = { "never", "success", "failure",
		"delay" };

	if (notify == 0) {
		return;
	}
	json_put_open(out, "notify", '[');
	for (unsigned i = 0; i < array_len(names); i++) {
		if ((notify >> i & 1) != 0) {
			json_put_comma(out);
			json_put_text(out, str_of(names[i]));
		}
	}
	json_put_close(out, ']');
}

static void
put_recipient(struct buf *out, const struct event_view *v)
{
	const struct event_common *common = v->event;
	struct event_rcpt r = { 0 };

	if (v->type == EVENT_alert) {
		return;
	}
	if (v->type != EVENT_accepted) {
		json_put_num(out, "rcpt_n", common->rcpt);
		json_put_str_known(out, "to", event_recipient(v));
	}
	if (view_rcpt(v, &r) && v->type != EVENT_accepted) {
		json_put_str_known(out, "orcpt", r.orcpt);
		put_notify(out, r.notify);
	}
}

static void
put_common(struct buf *out, const struct event_view *v)
{
	const struct event_common *common = v->event;

	json_put_num(out, "ts", common->time_us * 1000);
	json_put_time(out, "ts_rfc3339", common->time_us);
	put_uuid(out, "msg", &common->msgid);
	json_put_num_known(out, "account_id", common->account);
	json_put_num_known(out, "subaccount_id", common->subaccount);
	put_recipient(out, v);
}

static uint64_t
view_time(const struct event_view *v)
{
	return event_number(v, "time_us");
}

static struct uuid
view_id(const struct event_view *v)
{
	static const struct uuid none;
	const struct event_common *common = v->event;

	return event_id(view_time(v),
	    event_desc(v->type)->has_common ? &common->msgid : &none, v->lsn);
}

/* The members of details, without its braces. */
static void
put_details(struct buf *out, const struct event_view *v)
{
	const struct event_desc *desc = event_desc(v->type);
	struct uuid id = view_id(v);
	struct details d = { .out = out, .object = "" };

	json_put_num(out, "v", 1);
	put_uuid(out, "event_id", &id);
	json_put_str(out, "event", str_of(desc->name));
	if (desc->has_common) {
		put_common(out, v);
	} else if (view_time(v) != 0) {
		json_put_num(out, "ts", view_time(v) * 1000);
		json_put_time(out, "ts_rfc3339", view_time(v));
	}
	if (v->type != EVENT_accepted && v->acc != NULL && desc->has_common) {
		d.has_size = event_number(v, "size") != 0;
		json_put_time(out, "received_at", v->acc->time_us);
		d.is_joined = true;
		put_fields(&d, event_desc(EVENT_accepted), v->acc);
		d = (struct details){ .out = out, .object = "" };
	}
	put_fields(&d, desc, v->event);
}

static void
put_head(struct buf *out, const struct event_view *v)
{
	const struct event_desc *desc = event_desc(v->type);
	const struct event_common *common = v->event;

	bug_on(desc == NULL);
	json_put_str(out, "kind", str_of(desc->name));
	json_put_str_known(out, "recipient", event_recipient(v));
	if (desc->has_common) {
		put_uuid(out, "message_id", &common->msgid);
	}
}

void
event_json_append(struct buf *out, const struct event_view *v)
{
	json_put_open(out, NULL, '{');
	put_head(out, v);
	json_put_open(out, "details", '{');
	put_details(out, v);
	json_put_close(out, '}');
	json_put_close(out, '}');
}

void
event_json_line(struct buf *out, const struct event_view *v)
{
	json_put_open(out, NULL, '{');
	json_put_num(out, "lsn", v->lsn);
	put_head(out, v);
	put_details(out, v);
	json_put_close(out, '}');
}

json_t *
event_json(const struct event_view *v)
{
	struct buf text = { 0 };
	json_t *tree;

	event_json_append(&text, v);
	tree = json_loadb(
	    (const char *)text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	bug_on(tree == NULL);
	buf_fini(&text);
	return tree;
}
