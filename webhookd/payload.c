#include "payload.h"

#include <stdio.h>

#include "accepted.h"
#include "event_id.h"
#include "json_put.h"
#include "mandrill.h"
#include "service.h"
#include "sign.h"

/* One event of the ring, read. */
struct item {
	struct buf rec;
	/* Aligned for any event. */
	union {
		struct event_common common;
		uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	} event;
	struct event_view view;
};

enum item_status { ITEM_OK, ITEM_WAIT, ITEM_LOST, ITEM_NOT_FOR_TENANTS };

void
payload_fini(struct payload *p)
{
	buf_fini(&p->body);
	for (size_t i = 0; i < p->n_fields; i++) {
		buf_fini(&p->fields[i]);
	}
	*p = (struct payload){ 0 };
}

/* Joins the event with the accepted one of its message. */
static enum item_status
join(struct item *it)
{
	uint64_t lsn = it->event.common.accept_lsn;

	if (lsn == 0 || it->view.type == EVENT_accepted) {
		return ITEM_OK;
	}
	switch (accepted_get(lsn, &it->view.acc)) {
	case JOURNAL_FEED_OK:
		break;
	case JOURNAL_FEED_WAIT:
		return ITEM_WAIT;
	case JOURNAL_FEED_GONE:
	case JOURNAL_FEED_NONE:
		it->view.acc = NULL;
		break;
	}
	return ITEM_OK;
}

/* What came in for us, a bounce for example, is not the tenant's message. */
static bool
is_inbound(const struct event_view *v)
{
	const struct event_accepted *acc =
	    v->type == EVENT_accepted ? v->event : v->acc;

	return acc != NULL && acc->inbound != 0;
}

static enum item_status
item_read(struct item *it, uint64_t lsn)
{
	struct plog_record rec;
	enum item_status status;

	switch (accepted_read(lsn, &it->rec, &rec)) {
	case JOURNAL_FEED_OK:
		break;
	case JOURNAL_FEED_WAIT:
		return ITEM_WAIT;
	case JOURNAL_FEED_GONE:
	case JOURNAL_FEED_NONE:
		return ITEM_LOST;
	}
	if (event_decode(rec.type, rec.rec.p, rec.rec.len, &it->event) < 0) {
		return ITEM_LOST;
	}
	it->view = (struct event_view){
		.type = rec.type, .event = &it->event, .lsn = lsn
	};
	status = join(it);
	if (status == ITEM_OK && is_inbound(&it->view)) {
		return ITEM_NOT_FOR_TENANTS;
	}
	return status;
}

static void
append(const struct hook *h, struct buf *body, const struct event_view *v)
{
	if (h->format == HOOK_MANDRILL) {
		mandrill_append(body, v);
	} else {
		event_json_append(body, v);
	}
}

static void
begin(const struct hook *h, struct payload *p)
{
	*p = (struct payload){ .type = h->format == HOOK_MANDRILL
		    ? "application/x-www-form-urlencoded"
		    : "application/json" };
	buf_puts(&p->body, h->format == HOOK_MANDRILL ? "[" : "{\"events\":[");
}

static void
end(const struct hook *h, struct payload *p)
{
	buf_puts(&p->body, h->format == HOOK_MANDRILL ? "]" : "]}");
}

enum journal_feed_status
payload_build(const struct hook *h, struct payload *out)
{
	size_t size_max = conf()->webhook_batch_size;
	enum journal_feed_status result = JOURNAL_FEED_OK;
	struct item it = { 0 };
	struct payload p;

	begin(h, &p);
	while (p.items < h->ring.n && p.events < h->batch_max) {
		size_t before = p.body.len;
		enum item_status status =
		    item_read(&it, ring_at(&h->ring, p.items)->lsn);

		if (status == ITEM_WAIT) {
			result =
			    p.items == 0 ? JOURNAL_FEED_WAIT : JOURNAL_FEED_OK;
			break;
		}
		if (status == ITEM_OK) {
			append(h, &p.body, &it.view);
			if (p.body.len > size_max && p.events != 0) {
				/* With the comma before it. */
				p.body.len = before;
				break;
			}
			p.events++;
		}
		p.lost += status == ITEM_LOST;
		p.items++;
	}
	end(h, &p);
	buf_fini(&it.rec);
	*out = p;
	return result;
}

void
payload_single(
    const struct hook *h, const struct event_view *v, struct payload *out)
{
	begin(h, out);
	append(h, &out->body, v);
	out->events = 1;
	end(h, out);
}

static struct buf *
add_field(struct payload *p)
{
	bug_on(p->n_fields == array_len(p->fields));
	return &p->fields[p->n_fields++];
}

static int
sign_form(const struct hook *h, struct payload *p)
{
	struct buf form = { 0 };
	struct buf *field = add_field(p);
	int r = sign_mandrill(
	    field, buf_str(&h->secret), str_of(h->url_text), buf_str(&p->body));

	buf_u8(field, 0);
	mandrill_form(&form, buf_str(&p->body));
	p->body.len = 0;
	buf_move(&p->body, &form);
	return r;
}

int
payload_sign(const struct hook *h, struct payload *p, uint64_t now_s)
{
	struct buf *field;
	int r = 0;

	if (h->format == HOOK_MANDRILL) {
		r = sign_form(h, p);
	}
	if (r == 0) {
		field = add_field(p);
		r = sign_header(field, buf_str(&h->secret),
		    buf_str(&h->old_secret), now_s, buf_str(&p->body));
		buf_u8(field, 0);
	}
	field = add_field(p);
	buf_printf(field, "Packetboat-Hook: %u", (unsigned)h->id);
	buf_u8(field, 0);
	return r;
}

enum journal_feed_status
payload_dead(const struct hook *h, uint64_t before_us, struct payload *out)
{
	enum journal_feed_status result = JOURNAL_FEED_OK;
	struct item it = { 0 };
	struct payload p = { 0 };

	while (p.items < h->ring.n && p.items < conf()->webhook_batch_limit) {
		enum item_status status =
		    item_read(&it, ring_at(&h->ring, p.items)->lsn);

		if (status == ITEM_WAIT) {
			result =
			    p.items == 0 ? JOURNAL_FEED_WAIT : JOURNAL_FEED_OK;
			break;
		}
		if (status == ITEM_OK) {
			if (it.event.common.time_us >= before_us) {
				break;
			}
			p.last_us = it.event.common.time_us;
			p.first_us = p.events == 0 ? p.last_us : p.first_us;
			p.events++;
		}
		p.lost += status == ITEM_LOST;
		p.items++;
	}
	buf_fini(&it.rec);
	*out = p;
	return result;
}
