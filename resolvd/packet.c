#include "packet.h"

#include <errno.h>
#include <string.h>

#define HEAD_SIZE 12
#define FLAG_ANSWER 0x8000u
#define FLAG_TRUNCATED 0x0200u
#define RCODE_NXDOMAIN 3
#define CLASS_IN 1

/* Resource records looked at in one answer; more is no honest answer. */
#define RECORDS_MAX 4096

struct reader {
	const uint8_t *p;
	size_t len;
	size_t off;
};

/* A resource record: where it is, before anybody looks into it. */
struct rr {
	uint64_t owner; /* hash of its text form; 0: it has none */
	uint32_t name;	/* offset of the owner */
	uint32_t rdata;
	uint32_t ttl_s;
	uint16_t rdata_len;
	uint16_t type; /* 0: of another class */
};

struct rr_list {
	struct rr *rr;
	unsigned n;
};

static int
take_u16(struct reader *r, uint16_t *out)
{
	if (r->len - r->off < 2) {
		return -EBADMSG;
	}
	*out = (uint16_t)(r->p[r->off] << 8 | r->p[r->off + 1]);
	r->off += 2;
	return 0;
}

static int
take_u32(struct reader *r, uint32_t *out)
{
	uint16_t high, low;

	if (take_u16(r, &high) < 0 || take_u16(r, &low) < 0) {
		return -EBADMSG;
	}
	*out = (uint32_t)high << 16 | low;
	return 0;
}

static uint64_t
name_hash(const char *name)
{
	uint64_t h = str_hash(str_of(name), 0);

	return h != 0 ? h : 1;
}

static int
take_rr(struct reader *r, struct rr *out)
{
	char name[DOMAIN_NAME_MAX + 1];
	struct rr rr = { .name = (uint32_t)r->off };
	uint16_t class;
	int e = packet_name(r->p, r->len, &r->off, name);

	if (e == -EBADMSG || take_u16(r, &rr.type) < 0 ||
	    take_u16(r, &class) < 0 || take_u32(r, &rr.ttl_s) < 0 ||
	    take_u16(r, &rr.rdata_len) < 0 || rr.rdata_len > r->len - r->off) {
		return -EBADMSG;
	}
	rr.owner = e == 0 ? name_hash(name) : 0;
	rr.type = class == CLASS_IN ? rr.type : 0;
	rr.rdata = (uint32_t)r->off;
	r->off += rr.rdata_len;
	/* RFC 2181 section 8 */
	rr.ttl_s = rr.ttl_s > INT32_MAX ? 0 : rr.ttl_s;
	*out = rr;
	return 0;
}

static int
take_section(struct reader *r, unsigned n, struct rr_list *out)
{
	/* 11 bytes are the shortest record there can be */
	if (n > RECORDS_MAX || n > (r->len - r->off) / 11) {
		return -EBADMSG;
	}
	out->rr = mem_alloc((n + 1) * sizeof(*out->rr));
	for (out->n = 0; out->n < n; out->n++) {
		if (take_rr(r, &out->rr[out->n]) < 0) {
			return -EBADMSG;
		}
	}
	return 0;
}

static bool
is_owned(const struct reader *r, const struct rr *rr, const char *name)
{
	char owner[DOMAIN_NAME_MAX + 1];
	size_t off = rr->name;

	return rr->owner == name_hash(name) &&
	    packet_name(r->p, r->len, &off, owner) == 0 &&
	    strcmp(owner, name) == 0;
}

static const struct rr *
find(const struct reader *r, const struct rr_list *list, uint16_t type,
    const char *name)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (list->rr[i].type == type &&
		    is_owned(r, &list->rr[i], name)) {
			return &list->rr[i];
		}
	}
	return NULL;
}

static void
lower_ttl(struct packet *a, uint32_t ttl_s)
{
	a->ttl_s = ttl_s < a->ttl_s ? ttl_s : a->ttl_s;
}

static struct packet_record
keep(struct packet *a, uint16_t pref, const void *p, size_t len)
{
	struct packet_record k = {
		.off = (uint32_t)a->data.len, .len = (uint16_t)len, .pref = pref
	};

	buf_add(&a->data, p, len);
	return k;
}

static void
add(struct packet *a, uint16_t pref, const void *p, size_t len)
{
	a->records[a->n++] = keep(a, pref, p, len);
}

/* The name that fills the record's data from the given offset on. */
static int
rdata_name(const struct reader *r, const struct rr *rr, size_t skip,
    char dst[DOMAIN_NAME_MAX + 1])
{
	size_t off = rr->rdata + skip;
	size_t end = rr->rdata + rr->rdata_len;
	int e = packet_name(r->p, end, &off, dst);

	return e < 0 ? e : off == end ? 0 : -EBADMSG;
}

static int
add_mx(const struct reader *r, const struct rr *rr, struct packet *a)
{
	char name[DOMAIN_NAME_MAX + 1];
	const uint8_t *p = r->p + rr->rdata;

	if (rr->rdata_len < 3 || rdata_name(r, rr, 2, name) < 0) {
		return -EBADMSG;
	}
	add(a, (uint16_t)(p[0] << 8 | p[1]), name, strlen(name));
	return 0;
}

static int
add_ptr(const struct reader *r, const struct rr *rr, struct packet *a)
{
	char name[DOMAIN_NAME_MAX + 1];

	if (rdata_name(r, rr, 0, name) < 0) {
		return -EBADMSG;
	}
	add(a, 0, name, strlen(name));
	return 0;
}

static int
add_txt(const struct reader *r, const struct rr *rr, struct packet *a)
{
	const uint8_t *p = r->p + rr->rdata;
	uint32_t begin = (uint32_t)a->data.len;
	size_t left = rr->rdata_len;

	if (left == 0) {
		return -EBADMSG; /* RFC 1035 section 3.3.14: one or more */
	}
	while (left > 0) {
		size_t n = p[0];

		if (n + 1 > left) {
			a->data.len = begin;
			return -EBADMSG;
		}
		buf_add(&a->data, p + 1, n);
		p += n + 1;
		left -= n + 1;
	}
	a->records[a->n++] = (struct packet_record){ .off = begin,
		.len = (uint16_t)(a->data.len - begin) };
	return 0;
}

static int
add_fixed(const struct reader *r, const struct rr *rr, size_t least,
    size_t most, struct packet *a)
{
	if (rr->rdata_len < least || rr->rdata_len > most) {
		return -EBADMSG;
	}
	add(a, 0, r->p + rr->rdata, rr->rdata_len);
	return 0;
}

static int
add_record(const struct reader *r, const struct rr *rr, struct packet *a)
{
	switch (rr->type) {
	case PACKET_A:
		return add_fixed(r, rr, 4, 4, a);
	case PACKET_AAAA:
		return add_fixed(r, rr, 16, 16, a);
	case PACKET_MX:
		return add_mx(r, rr, a);
	case PACKET_PTR:
		return add_ptr(r, rr, a);
	case PACKET_TXT:
		return add_txt(r, rr, a);
	case PACKET_TLSA:
		/* RFC 6698 section 2.1: three numbers, then data */
		return add_fixed(r, rr, 4, UINT16_MAX, a);
	default:
		return -EBADMSG;
	}
}

/*
 * Follows aliases from name as far as they go (RFC 1034 section 3.6.2); name
 * is where they end.
 */
static int
follow(const struct reader *r, const struct rr_list *list, struct packet *a,
    char name[DOMAIN_NAME_MAX + 1])
{
	for (;;) {
		const struct rr *rr = find(r, list, PACKET_CNAME, name);

		if (rr == NULL) {
			return 0;
		}
		if (a->n_aliases == PACKET_ALIASES_MAX ||
		    rdata_name(r, rr, 0, name) < 0) {
			return -EBADMSG;
		}
		lower_ttl(a, rr->ttl_s);
		a->aliases[a->n_aliases++] = keep(a, 0, name, strlen(name));
	}
}

static void
collect(const struct reader *r, const struct rr_list *list, uint16_t type,
    const char *name, struct packet *a)
{
	a->records = mem_alloc((list->n + 1) * sizeof(*a->records));
	for (unsigned i = 0; i < list->n; i++) {
		const struct rr *rr = &list->rr[i];

		if (rr->type != type || !is_owned(r, rr, name)) {
			continue;
		}
		lower_ttl(a, rr->ttl_s);
		if (add_record(r, rr, a) < 0) {
			a->n_bad++;
		}
	}
}

/* RFC 2308 section 5: the lesser of the SOA's TTL and its minimum field. */
static void
set_negative_ttl(
    const struct reader *r, const struct rr_list *list, struct packet *a)
{
	char name[DOMAIN_NAME_MAX + 1];

	for (unsigned i = 0; i < list->n; i++) {
		const struct rr *rr = &list->rr[i];
		struct reader in = { r->p, rr->rdata + rr->rdata_len,
			rr->rdata };
		uint32_t minimum;

		if (rr->type != PACKET_SOA ||
		    packet_name(in.p, in.len, &in.off, name) == -EBADMSG ||
		    packet_name(in.p, in.len, &in.off, name) == -EBADMSG ||
		    in.len - in.off != 20) {
			continue;
		}
		in.off += 16;
		if (take_u32(&in, &minimum) == 0) {
			lower_ttl(a, minimum < rr->ttl_s ? minimum : rr->ttl_s);
			return;
		}
	}
	lower_ttl(a, PACKET_NEGATIVE_TTL_S);
}

static int
read_sections(struct reader *r, const char *asked, uint16_t type,
    const uint16_t counts[2], struct packet *a)
{
	struct rr_list answer = { 0 }, authority = { 0 };
	char name[DOMAIN_NAME_MAX + 1];
	int e = take_section(r, counts[0], &answer);

	if (e == 0) {
		e = take_section(r, counts[1], &authority);
	}
	if (e == 0) {
		str_copy(name, sizeof(name), str_of(asked));
		e = follow(r, &answer, a, name);
	}
	if (e == 0) {
		collect(r, &answer, type, name, a);
		if (a->rcode == RCODE_NXDOMAIN) {
			a->status = PACKET_NXDOMAIN;
			a->n = 0;
		} else {
			a->status =
			    a->n + a->n_bad > 0 ? PACKET_DATA : PACKET_NODATA;
		}
		if (a->status != PACKET_DATA) {
			set_negative_ttl(r, &authority, a);
		}
	}
	free(answer.rr);
	free(authority.rr);
	return e;
}

static int
take_question(struct reader *r, const char *asked, uint16_t asked_type)
{
	char name[DOMAIN_NAME_MAX + 1];
	uint16_t type, class;

	if (packet_name(r->p, r->len, &r->off, name) < 0 ||
	    take_u16(r, &type) < 0 || take_u16(r, &class) < 0 ||
	    type != asked_type || class != CLASS_IN ||
	    strcmp(name, asked) != 0) {
		return -EBADMSG;
	}
	return 0;
}

int
packet_parse(const uint8_t *p, size_t len, const char *name, uint16_t type,
    struct packet *out)
{
	struct reader r = { p, len, 0 };
	struct packet a = { .ttl_s = INT32_MAX };
	char asked[DOMAIN_NAME_MAX + 1];
	uint16_t id, flags, n_questions, counts[2], n_additional;
	int e = 0;

	if (take_u16(&r, &id) < 0 || take_u16(&r, &flags) < 0 ||
	    take_u16(&r, &n_questions) < 0 || take_u16(&r, &counts[0]) < 0 ||
	    take_u16(&r, &counts[1]) < 0 || take_u16(&r, &n_additional) < 0) {
		return -EBADMSG;
	}
	str_copy(asked, sizeof(asked), str_of(name));
	domain_lower(asked, strlen(asked));
	if ((flags & FLAG_ANSWER) == 0 || (flags & FLAG_TRUNCATED) != 0 ||
	    n_questions != 1 || take_question(&r, asked, type) < 0) {
		return -EBADMSG;
	}
	a.rcode = flags & 15;
	if (a.rcode != 0 && a.rcode != RCODE_NXDOMAIN) {
		a.status = PACKET_FAILED;
		a.ttl_s = 0;
	} else {
		e = read_sections(&r, asked, type, counts, &a);
	}
	if (e < 0) {
		packet_fini(&a);
		return e;
	}
	*out = a;
	return 0;
}

void
packet_fini(struct packet *a)
{
	free(a->records);
	buf_fini(&a->data);
	*a = (struct packet){ 0 };
}

static struct str
data_of(const struct packet *a, struct packet_record k)
{
	/* Without any data there is no buffer to point into. */
	return k.len != 0
	    ? (struct str){ (const char *)a->data.p + k.off, k.len }
	    : (struct str){ 0 };
}

struct str
packet_data(const struct packet *a, unsigned i)
{
	return data_of(a, a->records[i]);
}

struct str
packet_alias(const struct packet *a, unsigned i)
{
	return data_of(a, a->aliases[i]);
}
