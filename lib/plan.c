#include "plan.h"

#include <arpa/inet.h>
#include <string.h>

/* Bits of a host's flags. */
#define FLAG_SECURE 1
#define FLAG_STS_REFUSED 2

static size_t
address_size(uint8_t family)
{
	return family == 6 ? 16 : 4;
}

void
plan_host_add(struct buf *plan, const struct plan_host *h)
{
	bug_on(h->name.len > 255 || h->tlsa_name.len > 255 ||
	    h->n_addresses > PLAN_ADDRESSES_MAX || h->n_tlsa > PLAN_TLSA_MAX);
	buf_u8(plan, (uint8_t)h->name.len);
	buf_add(plan, h->name.p, h->name.len);
	buf_u16(plan, h->pref);
	buf_u8(plan,
	    (uint8_t)((h->is_secure ? FLAG_SECURE : 0) |
		(h->is_sts_refused ? FLAG_STS_REFUSED : 0)));
	buf_u8(plan, h->tlsa_status);
	buf_u8(plan, h->n_addresses);
	for (size_t i = 0; i < h->n_addresses; i++) {
		const struct plan_address *a = &h->addresses[i];

		buf_u8(plan, a->family);
		buf_add(plan, a->b, address_size(a->family));
	}
	buf_u8(plan, h->n_tlsa);
	for (size_t i = 0; i < h->n_tlsa; i++) {
		const struct plan_tlsa *t = &h->tlsa[i];

		buf_u8(plan, t->usage);
		buf_u8(plan, t->selector);
		buf_u8(plan, t->matching);
		buf_u16(plan, (uint16_t)t->data.len);
		buf_add(plan, t->data.p, t->data.len);
	}
	buf_u8(plan, (uint8_t)h->tlsa_name.len);
	buf_add(plan, h->tlsa_name.p, h->tlsa_name.len);
}

static bool
take(struct str *in, size_t n, struct str *out)
{
	if (in->len < n) {
		return false;
	}
	*out = (struct str){ in->p, n };
	in->p += n;
	in->len -= n;
	return true;
}

static bool
take_u8(struct str *in, uint8_t *out)
{
	struct str s;

	if (!take(in, 1, &s)) {
		return false;
	}
	*out = (uint8_t)s.p[0];
	return true;
}

static bool
take_u16(struct str *in, uint16_t *out)
{
	struct str s;

	if (!take(in, 2, &s)) {
		return false;
	}
	*out = (uint16_t)((uint8_t)s.p[0] | (uint8_t)s.p[1] << 8);
	return true;
}

static bool
take_address(struct str *in, struct plan_address *out)
{
	struct str s;

	if (!take_u8(in, &out->family) ||
	    (out->family != 4 && out->family != 6) ||
	    !take(in, address_size(out->family), &s)) {
		return false;
	}
	memcpy(out->b, s.p, s.len);
	return true;
}

static bool
take_tlsa(struct str *in, struct plan_tlsa *out)
{
	uint16_t len;

	return take_u8(in, &out->usage) && take_u8(in, &out->selector) &&
	    take_u8(in, &out->matching) && take_u16(in, &len) &&
	    take(in, len, &out->data);
}

static bool
take_lists(struct str *in, struct plan_host *h)
{
	if (!take_u8(in, &h->n_addresses) ||
	    h->n_addresses > PLAN_ADDRESSES_MAX) {
		return false;
	}
	for (size_t i = 0; i < h->n_addresses; i++) {
		if (!take_address(in, &h->addresses[i])) {
			return false;
		}
	}
	if (!take_u8(in, &h->n_tlsa) || h->n_tlsa > PLAN_TLSA_MAX) {
		return false;
	}
	for (size_t i = 0; i < h->n_tlsa; i++) {
		if (!take_tlsa(in, &h->tlsa[i])) {
			return false;
		}
	}
	return true;
}

bool
plan_host_next(struct str *plan, struct plan_host *out)
{
	struct plan_host h = { 0 };
	struct str in = *plan;
	uint8_t len;
	uint8_t flags;

	if (!take_u8(&in, &len) || !take(&in, len, &h.name) ||
	    !take_u16(&in, &h.pref) || !take_u8(&in, &flags) ||
	    !take_u8(&in, &h.tlsa_status) || !take_lists(&in, &h) ||
	    !take_u8(&in, &len) || !take(&in, len, &h.tlsa_name) ||
	    flags > (FLAG_SECURE | FLAG_STS_REFUSED)) {
		return false;
	}
	h.is_secure = (flags & FLAG_SECURE) != 0;
	h.is_sts_refused = (flags & FLAG_STS_REFUSED) != 0;
	*plan = in;
	*out = h;
	return true;
}

void
plan_address_print(const struct plan_address *a, char *dst)
{
	int family = a->family == 6 ? AF_INET6 : AF_INET;

	if (inet_ntop(family, a->b, dst, 46) == NULL) {
		dst[0] = '\0';
	}
}
