#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "mx.h"
#include "packet.h"

static void
check_name(struct str name)
{
	assert(name.len <= DOMAIN_NAME_MAX);
	for (size_t i = 0; i < name.len; i++) {
		assert(name.p[i] > ' ' && name.p[i] <= '~');
		assert(name.p[i] < 'A' || name.p[i] > 'Z');
	}
}

static void
check_mx(const struct packet *k)
{
	struct answer a = { .status = ANSWER_DATA, .packet = *k };
	struct mx m;

	mx_read(&a, "example.com", "own.test", &m);
	assert((m.status == DNS_OK) == (m.n > 0));
	mx_fini(&m);
}

/* Names are clean, and bytes behind the packet change nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[DOMAIN_NAME_MAX + 1];
	size_t off = 12;
	struct packet k, more;
	struct buf b = { 0 };
	uint16_t type;

	if (size < 16 || packet_name(data, size, &off, name) < 0 ||
	    off + 2 > size) {
		return 0;
	}
	type = (uint16_t)(data[off] << 8 | data[off + 1]);
	if (packet_parse(data, size, name, type, &k) < 0) {
		return 0;
	}
	buf_add(&b, data, size);
	buf_puts(&b, "\x04junk");
	assert(packet_parse(b.p, b.len, name, type, &more) == 0);
	assert(more.status == k.status && more.n == k.n);
	assert(more.data.len == k.data.len && more.ttl_s == k.ttl_s);
	assert(k.n == 0 || k.status == PACKET_DATA);
	for (unsigned i = 0; i < k.n_aliases; i++) {
		check_name(packet_alias(&k, i));
	}
	for (unsigned i = 0; i < k.n; i++) {
		if (type == PACKET_MX || type == PACKET_PTR) {
			check_name(packet_data(&k, i));
		}
	}
	if (type == PACKET_MX && k.status == PACKET_DATA) {
		check_mx(&k);
	}
	packet_fini(&k);
	packet_fini(&more);
	buf_fini(&b);
	return 0;
}
