#include "event_id.h"

#include <string.h>

#include "crc32c.h"
#include "event.h"

struct uuid
event_id(uint64_t time_us, const struct uuid *msgid, uint64_t lsn)
{
	uint64_t ms = time_us / 1000;
	unsigned us = (unsigned)(time_us % 1000);
	uint32_t hash = crc32c(0, msgid->b, sizeof(msgid->b));
	struct uuid u;

	for (int i = 0; i < 6; i++) {
		u.b[i] = (uint8_t)(ms >> (40 - 8 * i));
		u.b[10 + i] = (uint8_t)(lsn >> (40 - 8 * i));
	}
	u.b[6] = (uint8_t)(0x70 | us >> 8);
	u.b[7] = (uint8_t)us;
	u.b[8] = (uint8_t)(0x80 | (hash >> 8 & 0x3f));
	u.b[9] = (uint8_t)hash;
	return u;
}

uint64_t
event_id_lsn(const struct uuid *id)
{
	uint64_t lsn = 0;

	for (int i = 10; i < 16; i++) {
		lsn = lsn << 8 | id->b[i];
	}
	return lsn;
}

static uint64_t
read_le(const char *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0) {
		v = v << 8 | (unsigned char)p[n];
	}
	return v;
}

bool
event_peek(unsigned type, struct str rec, struct event_common *out)
{
	const struct event_desc *d = event_desc(type);

	if (d == NULL || !d->has_common || rec.len < 42) {
		return false;
	}
	out->time_us = read_le(rec.p, 8);
	memcpy(out->msgid.b, rec.p + 8, sizeof(out->msgid.b));
	out->accept_lsn = read_le(rec.p + 24, 8);
	out->account = (uint32_t)read_le(rec.p + 32, 4);
	out->subaccount = (uint32_t)read_le(rec.p + 36, 4);
	out->rcpt = (uint16_t)read_le(rec.p + 40, 2);
	return true;
}
