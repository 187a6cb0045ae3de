#include "pblog_match.h"

#include <string.h>
#include <strings.h>

#include "buf.h"
#include "event_id.h"
#include "map.h"
#include "pblog_needle.h"

/* Verdicts about messages kept, so that few accepted events are read twice. */
#define VERDICTS (1u << 17)

struct verdict {
	uint64_t lsn;
	bool is_wanted;
};

struct pblog_match {
	struct pblog_filter f;
	struct pblog_read *r;
	bool asks_message; /* some condition is about the accepted event */
	bool asks_event;
	/* Texts that stand in the bytes of a record that fits: of any */
	struct needle in_event[3];
	/* and of an accepted event. */
	struct needle in_message[6];
	struct verdict *verdicts;
	union {
		struct event_common common;
		uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	} event;
};

bool
pblog_filter_kind(struct pblog_filter *f, struct str name)
{
	const struct event_desc *d = event_desc_by_name(name);

	if (d == NULL) {
		return false;
	}
	f->kinds[(unsigned)d->type / 64] |= 1ULL << ((unsigned)d->type % 64);
	return true;
}

/* Without a word of the administrator: what tenants see. */
static void
default_kinds(struct pblog_filter *f)
{
	size_t n;
	const struct event_desc *const *all = event_descs(&n);

	for (size_t i = 0; i < n; i++) {
		if (all[i]->scope == EVENT_SCOPE_WEBHOOK ||
		    all[i]->level <= LOG_LEVEL_INFO) {
			(void)pblog_filter_kind(f, str_of(all[i]->name));
		}
	}
}

static void
make_needles(struct pblog_match *m)
{
	const struct pblog_filter *f = &m->f;

	needle_make(&m->in_event[0], f->reply);
	needle_make(&m->in_event[1], f->source_ip);
	needle_make(&m->in_event[2], f->dest_ip);
	needle_make(&m->in_message[0], f->subject);
	needle_make(&m->in_message[1], f->from);
	needle_make(&m->in_message[2], f->account);
	needle_make(&m->in_message[3], f->tag);
	needle_make(&m->in_message[4], f->client_ip);
	needle_make(&m->in_message[5], f->helo);
}

static bool
has_all(const struct needle *needles, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++) {
		if (!needle_is_in(&needles[i], s)) {
			return false;
		}
	}
	return true;
}

bool
pblog_match_batch(const struct pblog_match *m, struct str records)
{
	return has_all(m->in_event, array_len(m->in_event), records);
}

const struct pblog_filter *
pblog_match_filter(const struct pblog_match *m)
{
	return &m->f;
}

struct pblog_match *
pblog_match_new(const struct pblog_filter *f, struct pblog_read *r)
{
	struct pblog_match *m = mem_alloc(sizeof(*m));

	m->f = *f;
	m->r = r;
	m->asks_message = f->from != NULL || f->subject != NULL ||
	    f->account != NULL || f->key != 0 || f->tag != NULL ||
	    f->client_ip != NULL || f->helo != NULL;
	m->asks_event = f->to != NULL || f->domain != NULL ||
	    f->reply != NULL || f->source_ip != NULL || f->dest_ip != NULL;
	m->verdicts = mem_alloc(VERDICTS * sizeof(*m->verdicts));
	if ((f->kinds[0] | f->kinds[1]) == 0) {
		default_kinds(&m->f);
	}
	make_needles(m);
	return m;
}

void
pblog_match_free(struct pblog_match **m)
{
	if (*m != NULL) {
		free((*m)->verdicts);
		free(*m);
		*m = NULL;
	}
}

static bool
contains(struct str s, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= s.len; i++) {
		if (strncasecmp(s.p + i, what, n) == 0) {
			return true;
		}
	}
	return false;
}

static bool
address_fits(struct str address, const char *what)
{
	const char *at = strchr(what, '@');

	if (at != NULL && at != what) {
		return str_eq_case(address, str_of(what));
	}
	return contains(address, what);
}

static bool
domain_fits(struct str address, const char *domain)
{
	size_t n = strlen(domain);

	return address.len > n && address.p[address.len - n - 1] == '@' &&
	    strncasecmp(address.p + address.len - n, domain, n) == 0;
}

static bool
account_fits(struct str name, const char *what)
{
	struct str account = { 0 };

	if (strchr(what, '/') != NULL) {
		return str_is(name, what);
	}
	return str_split(&name, '/', &account) && str_is(account, what);
}

static bool
has_tag(struct str tags, const char *tag)
{
	struct str one;

	while (str_split(&tags, ',', &one)) {
		if (str_is(str_trim(one), tag)) {
			return true;
		}
	}
	return false;
}

static bool
message_fits(const struct pblog_filter *f, const struct event_accepted *a)
{
	return (f->from == NULL || address_fits(a->sender, f->from) ||
		   address_fits(a->header_from, f->from)) &&
	    (f->subject == NULL || contains(a->subject, f->subject)) &&
	    (f->account == NULL || account_fits(a->account_name, f->account)) &&
	    (f->key == 0 || a->key == f->key) &&
	    (f->tag == NULL || has_tag(a->tags, f->tag)) &&
	    (f->client_ip == NULL ||
		str_is(a->submit_client_ip, f->client_ip)) &&
	    (f->helo == NULL || contains(a->submit_helo, f->helo));
}

/* What was refused has become no message; it says itself what it was. */
static bool
refused_fits(const struct pblog_filter *f, const struct event_refused *e)
{
	const struct event_accepted a = {
		.sender = e->sender,
		.account_name = e->account_name,
		.key = e->key,
		.submit_client_ip = e->submit_client_ip,
		.submit_helo = e->submit_helo,
	};

	return message_fits(f, &a);
}

static struct verdict *
verdict_of(struct pblog_match *m, uint64_t lsn)
{
	return &m->verdicts[(lsn ^ lsn >> 17 ^ lsn >> 31) % VERDICTS];
}

/* Whether the message of an event fits; its accepted event is read once. */
static bool
message_is_wanted(
    struct pblog_match *m, const struct event_view *v, uint64_t accept_lsn)
{
	uint64_t lsn = v->type == EVENT_accepted ? v->lsn : accept_lsn;
	struct verdict *verdict = verdict_of(m, lsn);
	const struct event_accepted *acc = v->event;

	if (verdict->lsn == lsn && lsn != 0) {
		return verdict->is_wanted;
	}
	if (v->type != EVENT_accepted) {
		acc = pblog_accepted(m->r, lsn);
	}
	*verdict =
	    (struct verdict){ lsn, acc != NULL && message_fits(&m->f, acc) };
	return verdict->is_wanted;
}

static bool
recipient_fits(const struct pblog_filter *f, struct str address)
{
	return (f->to == NULL || address_fits(address, f->to)) &&
	    (f->domain == NULL || domain_fits(address, f->domain));
}

static bool
recipients_fit(const struct pblog_filter *f, const struct event_view *v)
{
	const struct event_accepted *acc = v->event;
	struct event_rcpt r;
	struct str rest;

	if (f->to == NULL && f->domain == NULL) {
		return true;
	}
	if (v->type != EVENT_accepted) {
		return recipient_fits(f, event_recipient(v));
	}
	rest = acc->rcpts;
	while (event_rcpt_next(&rest, &r)) {
		if (recipient_fits(f, r.address)) {
			return true;
		}
	}
	return false;
}

static bool
event_fits(const struct pblog_filter *f, const struct event_view *v)
{
	return recipients_fit(f, v) &&
	    (f->reply == NULL ||
		contains(event_text(v, "smtp_text"), f->reply)) &&
	    (f->source_ip == NULL ||
		str_is(event_text(v, "source_ip"), f->source_ip)) &&
	    (f->dest_ip == NULL ||
		str_is(event_text(v, "dest_ip"), f->dest_ip));
}

/* What can be told without decoding. */
static bool
head_fits(const struct pblog_match *m, const struct pblog_record *rec,
    struct event_common *c)
{
	if (rec->type >= 128 ||
	    (m->f.kinds[rec->type / 64] >> (rec->type % 64) & 1) == 0) {
		return false;
	}
	if (!event_peek(rec->type, rec->rec, c)) {
		*c = (struct event_common){ .time_us = rec->batch_time_us };
		/* "stored" begins with the message's id. */
		if (rec->type == EVENT_stored && rec->rec.len >= 16) {
			memcpy(c->msgid.b, rec->rec.p, 16);
		}
	}
	return (!m->f.has_id || uuid_eq(&c->msgid, &m->f.id)) &&
	    c->time_us >= m->f.since_us &&
	    (m->f.until_us == 0 || c->time_us <= m->f.until_us);
}

/* What can be told by the bytes, without knowing which field they are. */
static bool
bytes_fit(struct pblog_match *m, const struct pblog_record *rec)
{
	if (m->asks_message && rec->type == EVENT_accepted &&
	    !has_all(m->in_message, array_len(m->in_message), rec->rec)) {
		*verdict_of(m, rec->lsn) = (struct verdict){ rec->lsn, false };
		return false;
	}
	return has_all(m->in_event, array_len(m->in_event), rec->rec);
}

bool
pblog_match(
    struct pblog_match *m, const struct pblog_record *rec, struct event_view *v)
{
	struct event_view view = { .type = rec->type, .lsn = rec->lsn };
	struct event_common c;

	if (!head_fits(m, rec, &c) || !bytes_fit(m, rec)) {
		return false;
	}
	view.event = &m->event;
	if (m->asks_message && rec->type != EVENT_accepted &&
	    rec->type != EVENT_refused &&
	    !message_is_wanted(m, &view, c.accept_lsn)) {
		return false;
	}
	if (event_decode(rec->type, rec->rec.p, rec->rec.len, &m->event) < 0) {
		return false;
	}
	if (m->asks_message && rec->type == EVENT_accepted &&
	    !message_is_wanted(m, &view, 0)) {
		return false;
	}
	if (m->asks_message && rec->type == EVENT_refused &&
	    !refused_fits(&m->f, view.event)) {
		return false;
	}
	/* Only the envelope knows the recipient of some events. */
	if (rec->type != EVENT_accepted && c.accept_lsn != 0 &&
	    (!m->asks_event || event_text(&view, "rcpt_to").len == 0)) {
		view.acc = pblog_accepted(m->r, c.accept_lsn);
	}
	if (m->asks_event && !event_fits(&m->f, &view)) {
		return false;
	}
	if (view.acc == NULL && rec->type != EVENT_accepted) {
		view.acc = pblog_accepted(m->r, c.accept_lsn);
	}
	*v = view;
	return true;
}
