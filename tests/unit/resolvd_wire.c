#include "resolvd_wire.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
put_u16(struct buf *b, uint16_t v)
{
	buf_u8(b, (uint8_t)(v >> 8));
	buf_u8(b, (uint8_t)v);
}

void
wire_name(struct buf *b, const char *name)
{
	struct str rest = str_of(name), label;

	while (str_split(&rest, '.', &label)) {
		buf_u8(b, (uint8_t)label.len);
		buf_add(b, label.p, label.len);
	}
	buf_u8(b, 0);
}

void
wire_begin(struct wire *w, const char *name, uint16_t type, int rcode)
{
	*w = (struct wire){ .type = type };
	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	put_u16(&w->b, 1);
	put_u16(&w->b, (uint16_t)(0x8180 | rcode));
	put_u16(&w->b, 1);
	buf_zero(&w->b, 6);
	wire_name(&w->b, name);
	put_u16(&w->b, type);
	put_u16(&w->b, 1);
}

void
wire_rr(struct wire *w, const char *owner, uint16_t type, uint32_t ttl_s,
    const void *rdata, size_t len)
{
	w->b.p[7]++; /* answers: the tests need fewer than 256 */
	wire_name(&w->b, owner);
	put_u16(&w->b, type);
	put_u16(&w->b, 1);
	put_u16(&w->b, (uint16_t)(ttl_s >> 16));
	put_u16(&w->b, (uint16_t)ttl_s);
	put_u16(&w->b, (uint16_t)len);
	buf_add(&w->b, rdata, len);
}

void
wire_cname(struct wire *w, const char *owner, const char *target)
{
	struct buf b = { 0 };

	wire_name(&b, target);
	wire_rr(w, owner, PACKET_CNAME, 300, b.p, b.len);
	(void)snprintf(w->name, sizeof(w->name), "%s", target);
	buf_fini(&b);
}

void
wire_mx(struct wire *w, uint16_t pref, const char *host)
{
	struct buf b = { 0 };

	put_u16(&b, pref);
	wire_name(&b, host);
	wire_rr(w, w->name, PACKET_MX, 300, b.p, b.len);
	buf_fini(&b);
}

void
wire_a(struct wire *w, const char *address)
{
	bool is_v6 = strchr(address, ':') != NULL;
	uint8_t b[16];

	bug_on(inet_pton(is_v6 ? AF_INET6 : AF_INET, address, b) != 1);
	wire_rr(
	    w, w->name, is_v6 ? PACKET_AAAA : PACKET_A, 300, b, is_v6 ? 16 : 4);
}

void
wire_txt(struct wire *w, const char *first, ...)
{
	struct buf b = { 0 };
	va_list ap;

	va_start(ap, first);
	for (const char *s = first; s != NULL; s = va_arg(ap, const char *)) {
		buf_u8(&b, (uint8_t)strlen(s));
		buf_puts(&b, s);
	}
	va_end(ap);
	wire_rr(w, w->name, PACKET_TXT, 300, b.p, b.len);
	buf_fini(&b);
}

void
wire_status(struct answer *out, enum answer_status status)
{
	*out = (struct answer){ .status = status };
	if (status == ANSWER_TEMPORARY) {
		(void)snprintf(
		    out->reason, sizeof(out->reason), "server failure");
	} else {
		out->packet.ttl_s = 60;
	}
}

void
wire_answer(struct wire *w, struct answer *out)
{
	char asked[DOMAIN_NAME_MAX + 1];
	size_t off = 12;

	*out = (struct answer){ 0 };
	bug_on(packet_name(w->b.p, w->b.len, &off, asked) < 0);
	bug_on(
	    packet_parse(w->b.p, w->b.len, asked, w->type, &out->packet) < 0);
	out->status = out->packet.status == PACKET_DATA ? ANSWER_DATA
	    : out->packet.status == PACKET_NODATA	? ANSWER_NODATA
							: ANSWER_NXDOMAIN;
	buf_fini(&w->b);
}
