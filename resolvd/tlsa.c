#include "tlsa.h"

/* RFC 6698 section 2.1.3: the data's length follows from the hash. */
static bool
is_well_formed(const struct plan_tlsa *t)
{
	switch (t->matching) {
	case 0:
		return t->data.len > 0 && t->data.len <= TLSA_DATA_MAX;
	case 1:
		return t->data.len == 32;
	case 2:
		return t->data.len == 64;
	default:
		return false;
	}
}

static void
add(struct str rdata, struct plan_host *h)
{
	struct plan_tlsa t = { .usage = (uint8_t)rdata.p[0],
		.selector = (uint8_t)rdata.p[1],
		.matching = (uint8_t)rdata.p[2],
		.data = { rdata.p + 3, rdata.len - 3 } };

	if (is_well_formed(&t) && h->n_tlsa < PLAN_TLSA_MAX) {
		h->tlsa[h->n_tlsa++] = t;
	}
}

void
tlsa_read(const struct answer *a, struct plan_host *h)
{
	h->n_tlsa = 0;
	switch (a->status) {
	case ANSWER_TEMPORARY:
		h->tlsa_status = DNS_TEMPORARY;
		return;
	case ANSWER_NXDOMAIN:
	case ANSWER_NODATA:
		h->tlsa_status = DNS_NXDOMAIN;
		return;
	case ANSWER_DATA:
		break;
	}
	if (!a->is_secure) {
		h->tlsa_status = DNS_NXDOMAIN;
		return;
	}
	h->tlsa_status = DNS_OK;
	for (unsigned i = 0; i < a->packet.n; i++) {
		add(packet_data(&a->packet, i), h);
	}
}
