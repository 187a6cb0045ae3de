#include "dsn.h"

#include <string.h>

#define REPLY_MAX 4096
#define TEXT_MAX 1024

static void
put_text(struct buf *out, struct str s, size_t max)
{
	size_t n = s.len < max ? s.len : max;

	buf_u16(out, (uint16_t)n);
	buf_add(out, s.p, n);
}

static bool
take(struct str *from, void *dst, size_t n)
{
	if (from->len < n) {
		return false;
	}
	memcpy(dst, from->p, n);
	from->p += n;
	from->len -= n;
	return true;
}

static bool
take_text(struct str *from, struct str *out)
{
	uint16_t n;

	if (!take(from, &n, sizeof(n)) || from->len < n) {
		return false;
	}
	*out = (struct str){ from->p, n };
	from->p += n;
	from->len -= n;
	return true;
}

void
dsn_item_add(struct buf *out, const struct dsn_item *item)
{
	buf_u16(out, item->rcpt);
	buf_u8(out, item->action);
	put_text(out, item->address, TEXT_MAX);
	put_text(out, item->orcpt, TEXT_MAX);
	put_text(out, item->status, 16);
	put_text(out, item->reply, REPLY_MAX);
	put_text(out, item->remote_mta, 255);
	buf_u64(out, item->last_attempt_us);
}

bool
dsn_item_next(struct str *items, struct dsn_item *out)
{
	struct str rest = *items;
	struct dsn_item i;

	if (!take(&rest, &i.rcpt, sizeof(i.rcpt)) ||
	    !take(&rest, &i.action, sizeof(i.action)) ||
	    !take_text(&rest, &i.address) || !take_text(&rest, &i.orcpt) ||
	    !take_text(&rest, &i.status) || !take_text(&rest, &i.reply) ||
	    !take_text(&rest, &i.remote_mta) ||
	    !take(&rest, &i.last_attempt_us, sizeof(i.last_attempt_us))) {
		return false;
	}
	*items = rest;
	*out = i;
	return true;
}
