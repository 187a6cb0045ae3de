#include "mandrill.h"

#include <string.h>

#include "event_id.h"
#include "json_put.h"

static const struct {
	enum event_type type;
	const char *kind;
	const char *state; /* of the message, after it */
} kinds[] = {
	{ EVENT_accepted, "send", "sent" },
	{ EVENT_delivery, "delivered", "sent" },
	{ EVENT_deferral, "deferral", "deferred" },
	{ EVENT_bounce, "hard_bounce", "bounced" },
	{ EVENT_soft_bounce, "soft_bounce", "soft-bounced" },
	{ EVENT_complaint, "spam", "spam" },
	{ EVENT_blocked, "reject", "rejected" },
	{ EVENT_unsubscribe, "unsub", "unsub" },
	{ EVENT_open, "open", "sent" },
	{ EVENT_click, "click", "sent" },
};

static const struct {
	const char *class;
	unsigned code;
} codes[] = {
	{ "bad_mailbox", 10 },
	{ "inactive_mailbox", 10 },
	{ "bad_domain", 10 },
	{ "dns", 21 },
	{ "routing", 21 },
	{ "mailbox_full", 22 },
	{ "too_large", 23 },
	{ "timeout", 24 },
	{ "connection", 24 },
	{ "config", 25 },
	{ "expired", 20 },
	{ "rate", 20 },
	{ "greylist", 20 },
	{ "policy", 50 },
	{ "auth", 50 },
	{ "tls", 50 },
	{ "spam_ip", 51 },
	{ "spam_content", 52 },
	{ "content", 52 },
	{ "virus", 52 },
	{ "attachment", 53 },
	{ "relaying", 54 },
	{ "auto_reply", 60 },
	{ "unsubscribe", 90 },
	{ "challenge", 100 },
};

const char *
mandrill_kind(unsigned type)
{
	for (size_t i = 0; i < array_len(kinds); i++) {
		if ((unsigned)kinds[i].type == type) {
			return kinds[i].kind;
		}
	}
	return NULL;
}

static const char *
state_after(unsigned type)
{
	for (size_t i = 0; i < array_len(kinds); i++) {
		if ((unsigned)kinds[i].type == type) {
			return kinds[i].state;
		}
	}
	return "sent";
}

unsigned mandrill_bounce_code(struct str class)
{
	for (size_t i = 0; i < array_len(codes); i++) {
		if (str_is(class, codes[i].class)) {
			return codes[i].code;
		}
	}
	return 1;
}

/* Ids without dashes, 32 hex digits. */
static void
put_id(struct buf *out, const struct uuid *id)
{
	char text[33];

	str_hex(text, id->b, sizeof(id->b));
	json_put_str(out, "_id", str_of(text));
}

static void
put_tags(struct buf *out, struct str tags)
{
	struct str tag;

	json_put_open(out, "tags", '[');
	while (str_split(&tags, ',', &tag)) {
		tag = str_trim(tag);
		if (tag.len != 0) {
			json_put_comma(out);
			json_put_text(out, tag);
		}
	}
	json_put_close(out, ']');
}

static bool
is_attempt(unsigned type)
{
	return type == EVENT_delivery || type == EVENT_deferral ||
	    type == EVENT_bounce || type == EVENT_soft_bounce;
}

/* Seed facts of an attempt: when, what, reply, both addresses, size. */
static void
put_smtp_events(struct buf *out, const struct event_view *v)
{
	json_put_open(out, "smtp_events", '[');
	if (is_attempt(v->type)) {
		json_put_open(out, NULL, '{');
		json_put_num(out, "ts", event_number(v, "time_us") / 1000000);
		json_put_str(out, "type", str_of(state_after(v->type)));
		json_put_str(out, "diag", event_text(v, "smtp_text"));
		json_put_str(out, "source_ip", event_text(v, "source_ip"));
		json_put_str(out, "destination_ip", event_text(v, "dest_ip"));
		json_put_num(out, "size", event_number(v, "size"));
		json_put_close(out, '}');
	}
	json_put_close(out, ']');
}

static void
put_bounce(struct buf *out, const struct event_view *v)
{
	struct str class = event_text(v, "class");

	if (v->type == EVENT_blocked) {
		json_put_str(out, "reject", class);
		return;
	}
	if (v->type != EVENT_bounce && v->type != EVENT_soft_bounce &&
	    v->type != EVENT_deferral) {
		return;
	}
	json_put_str(out, "diag", event_text(v, "smtp_text"));
	if (v->type != EVENT_deferral) {
		json_put_str(out, "bounce_description", class);
		json_put_num(out, "bgtools_code", mandrill_bounce_code(class));
	}
}

static void
put_accepted(struct buf *out, const struct event_accepted *acc)
{
	struct str name = acc->account_name;
	struct str account;

	json_put_str(out, "subject", acc->subject);
	json_put_str(out, "sender",
	    acc->header_from.len != 0 ? acc->header_from : acc->sender);
	put_tags(out, acc->tags);
	json_put_object_text(out, "metadata", acc->metadata);
	if (str_split(&name, '/', &account)) {
		json_put_str_known(out, "subaccount", name);
	}
}

static void
put_message(struct buf *out, const struct event_view *v)
{
	const struct event_accepted *acc =
	    v->type == EVENT_accepted ? v->event : v->acc;
	const struct event_common *common = v->event;

	json_put_open(out, "msg", '{');
	json_put_num(out, "ts",
	    (acc != NULL ? acc->time_us : common->time_us) / 1000000);
	put_id(out, &common->msgid);
	json_put_str(out, "state", str_of(state_after(v->type)));
	json_put_str(out, "email", event_recipient(v));
	if (acc != NULL) {
		put_accepted(out, acc);
	}
	json_put_open(out, "opens", '[');
	json_put_close(out, ']');
	json_put_open(out, "clicks", '[');
	json_put_close(out, ']');
	put_smtp_events(out, v);
	json_put_open(out, "resends", '[');
	json_put_close(out, ']');
	put_bounce(out, v);
	json_put_close(out, '}');
}

void
mandrill_append(struct buf *out, const struct event_view *v)
{
	const struct event_common *common = v->event;
	struct uuid id = event_id(common->time_us, &common->msgid, v->lsn);
	char text[UUID_TEXT_SIZE];

	uuid_print(&id, text);
	json_put_open(out, NULL, '{');
	json_put_str(out, "event", str_of(mandrill_kind(v->type)));
	put_id(out, &common->msgid);
	json_put_num(out, "ts", common->time_us / 1000000);
	json_put_str(out, "event_id", str_of(text));
	if (v->type == EVENT_open || v->type == EVENT_click) {
		json_put_str_known(out, "ip", event_text(v, "client_ip"));
		json_put_str_known(
		    out, "user_agent", event_text(v, "user_agent"));
		json_put_str_known(out, "url", event_text(v, "url"));
	}
	put_message(out, v);
	json_put_close(out, '}');
}

void
mandrill_form(struct buf *out, struct str events)
{
	static const char digits[] = "0123456789ABCDEF";

	buf_puts(out, "mandrill_events=");
	(void)buf_reserve(out, events.len * 3);
	for (size_t i = 0; i < events.len; i++) {
		unsigned char c = (unsigned char)events.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		    c == '.') {
			buf_u8(out, c);
		} else if (c == ' ') {
			buf_u8(out, '+');
		} else {
			buf_u8(out, '%');
			buf_u8(out, (uint8_t)digits[c >> 4]);
			buf_u8(out, (uint8_t)digits[c & 15]);
		}
	}
}
