#include "pblog_show.h"

#include <string.h>

#include "json_put.h"

/* Longest text shown of one field. */
#define TEXT_MAX 2048

static void
put_safe(struct buf *out, struct str s)
{
	char text[TEXT_MAX];
	char joined[TEXT_MAX];
	size_t n = s.len < sizeof(joined) ? s.len : sizeof(joined);

	for (size_t i = 0; i < n; i++) {
		joined[i] = s.p[i];
		if (joined[i] == '\n' || joined[i] == '\t') {
			joined[i] = ' '; /* lines of one reply */
		}
	}
	buf_puts(out, str_safe(text, sizeof(text), (struct str){ joined, n }));
}

static void
put_sep(struct buf *out)
{
	if (out->len != 0 && out->p[out->len - 1] != ' ') {
		buf_puts(out, ", ");
	}
}

static void
put_address(struct buf *out, const char *name, struct str s)
{
	put_sep(out);
	buf_printf(out, "%s=<", name);
	put_safe(out, s);
	buf_puts(out, ">");
}

static void
put_text(struct buf *out, const char *name, struct str s)
{
	if (s.len != 0) {
		put_sep(out);
		buf_printf(out, "%s=", name);
		put_safe(out, s);
	}
}

static void
put_number(struct buf *out, const char *name, uint64_t v)
{
	if (v != 0) {
		put_sep(out);
		buf_printf(out, "%s=%llu", name, (unsigned long long)v);
	}
}

static void
put_time(struct buf *out, const char *name, uint64_t us)
{
	char text[JSON_TIME_SIZE];

	if (us != 0) {
		json_time(us, text);
		put_sep(out);
		buf_printf(out, "%s=%s", name, text);
	}
}

/* As the log lines of deliver have it. */
static void
put_relay(struct buf *out, const struct event_view *v)
{
	struct str ip = event_text(v, "dest_ip");
	struct str host = event_text(v, "dest_host");

	put_sep(out);
	if (ip.len == 0 && host.len == 0) {
		buf_puts(out, "relay=none");
		return;
	}
	buf_puts(out, "relay=");
	put_safe(out, host);
	buf_puts(out, "[");
	put_safe(out, ip);
	buf_printf(
	    out, "]:%llu", (unsigned long long)event_number(v, "dest_port"));
}

static void
put_tls(struct buf *out, const struct event_view *v)
{
	struct str proto = event_text(v, "tls_proto");

	if (proto.len == 0) {
		return;
	}
	put_text(out, "tls", proto);
	if (event_number(v, "tls_verified") != 0) {
		buf_puts(out, " verified");
	}
}

static void
put_attempt(struct buf *out, const struct event_view *v)
{
	uint64_t age = event_number(v, "age_ms");
	const char *status = v->type == EVENT_delivery ? "sent"
	    : v->type == EVENT_deferral		       ? "deferred"
						       : "bounced";

	put_relay(out, v);
	put_sep(out);
	buf_printf(out, "delay=%llu.%02llu", (unsigned long long)(age / 1000),
	    (unsigned long long)(age % 1000 / 10));
	put_number(out, "attempt", event_number(v, "attempt"));
	put_text(out, "source", event_text(v, "source_ip"));
	put_tls(out, v);
	put_text(out, "dsn", event_text(v, "smtp_enh"));
	put_text(out, "class", event_text(v, "class"));
	put_sep(out);
	buf_printf(out, "status=%s (", status);
	put_safe(out, event_text(v, "smtp_text"));
	buf_puts(out, ")");
	put_time(out, "next_try", event_number(v, "next_try_us"));
	put_text(out, "reported_by", event_text(v, "dsn_reporting_mta"));
}

static void
put_accepted(struct buf *out, const struct event_accepted *a)
{
	put_address(out, "from", a->sender);
	put_number(out, "size", a->size);
	put_number(out, "nrcpt", a->nrcpt);
	put_text(out, "account", a->account_name);
	put_number(out, "key", a->key);
	put_text(out, "client", a->submit_client_ip);
	put_text(out, "proto", a->submit_proto);
	put_text(out, "message-id", a->message_id);
	put_text(out, "tags", a->tags);
	put_text(out, "subject", a->subject);
}

static void
put_refused(struct buf *out, const struct event_refused *e)
{
	put_text(out, "stage", e->stage);
	put_address(out, "from", e->sender);
	if (e->rcpt_to.len != 0) {
		put_address(out, "to", e->rcpt_to);
	}
	put_text(out, "account", e->account_name);
	put_number(out, "key", e->key);
	put_text(out, "client", e->submit_client_ip);
	put_text(out, "proto", e->submit_proto);
	put_text(out, "text", e->smtp_text);
	put_number(out, "omitted", e->omitted);
}

static const char *
name_or(const char *dst, const char *other)
{
	return dst[0] != '\0' ? dst : other;
}

/* ms: from the command, or the final dot, to the reply. */
static void
put_call(struct buf *out, struct str account, uint32_t key, struct str client,
    struct str helo, uint32_t ms)
{
	char text[256];

	put_text(out, "account", account.len != 0 ? account : STR("-"));
	put_number(out, "key", key);
	put_text(out, "client", client);
	put_sep(out);
	buf_printf(
	    out, "helo=%s", name_or(str_safe(text, sizeof(text), helo), "-"));
	buf_printf(out, ", ms=%u", (unsigned)ms);
}

void
pblog_show_submission(struct buf *out, const struct event_view *v)
{
	const struct event_accepted *a = v->event;
	const struct event_refused *e = v->event;
	char text[JSON_TIME_SIZE];
	char id[UUID_TEXT_SIZE];

	json_time(event_number(v, "time_us"), text);
	if (v->type == EVENT_accepted) {
		buf_printf(out, "%s accepted smtp/send: ", text);
		put_call(out, a->account_name, a->key, a->submit_client_ip,
		    a->submit_helo, a->submit_call_ms);
		put_address(out, "from", a->sender);
		put_number(out, "nrcpt", a->nrcpt);
		uuid_print(&a->msgid, id);
		buf_printf(out, ", reply=250 2.0.0 Thanks! Queued as: %s", id);
		return;
	}
	buf_printf(out, "%s refused ", text);
	put_safe(out, e->method);
	buf_puts(out, ": ");
	put_call(out, e->account_name, e->key, e->submit_client_ip,
	    e->submit_helo, e->submit_call_ms);
	put_address(out, "from", e->sender);
	if (e->rcpt_to.len != 0) {
		put_address(out, "to", e->rcpt_to);
	}
	put_text(out, "stage", e->stage);
	put_text(out, "reply", e->smtp_text);
	put_number(out, "omitted", e->omitted);
}

/* What the other kinds have, as far as they have it. */
static void
put_other(struct buf *out, const struct event_view *v)
{
	put_text(out, "class", event_text(v, "class"));
	put_text(out, "feedback", event_text(v, "feedback_type"));
	put_text(out, "url", event_text(v, "url"));
	put_text(out, "client", event_text(v, "client_ip"));
	put_text(out, "name", event_text(v, "name"));
	put_text(out, "site", event_text(v, "site"));
	put_text(out, "state", event_text(v, "state"));
	put_text(out, "reason", event_text(v, "reason"));
	put_number(out, "quota", event_number(v, "quota"));
	put_time(out, "next_try", event_number(v, "next_try_us"));
	put_time(out, "until", event_number(v, "until_us"));
	put_text(out, "text", event_text(v, "text"));
	put_text(out, "text", event_text(v, "smtp_text"));
	put_text(out, "reported_by", event_text(v, "dsn_reporting_mta"));
}

void
pblog_show_facts(struct buf *out, const struct event_view *v)
{
	struct str to = event_recipient(v);

	switch (v->type) {
	case EVENT_accepted:
		put_accepted(out, v->event);
		return;
	case EVENT_refused:
		put_refused(out, v->event);
		return;
	case EVENT_delivery:
	case EVENT_deferral:
	case EVENT_bounce:
	case EVENT_soft_bounce:
		if (v->acc != NULL) {
			put_address(out, "from", v->acc->sender);
		}
		put_address(out, "to", to);
		put_attempt(out, v);
		return;
	default:
		if (to.len != 0) {
			put_address(out, "to", to);
		}
		put_other(out, v);
	}
}

void
pblog_show_line(struct buf *out, const struct event_view *v)
{
	const struct event_desc *d = event_desc(v->type);
	const struct event_common *c = v->event;
	char text[JSON_TIME_SIZE];

	json_time(event_number(v, "time_us"), text);
	buf_printf(out, "%s %s", text, d->name);
	if (d->has_common && !uuid_is_null(&c->msgid)) {
		char id[UUID_TEXT_SIZE];

		uuid_print(&c->msgid, id);
		buf_printf(out, " %s", id);
	}
	buf_puts(out, ": ");
	pblog_show_facts(out, v);
}
