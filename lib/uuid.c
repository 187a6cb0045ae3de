#include "uuid.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_BITS 22
#define INDEX_BITS 20

/* Random ids made at once. */
#define RANDOM_POOL 32

struct uuid
uuid_make(uint64_t wall_us, struct uuid_place place)
{
	uint64_t ms = wall_us / 1000;
	uint64_t writer = place.segid >> 56;
	uint64_t incarnation = place.segid >> 32 & 0xffffff;
	uint64_t number = place.segid & 0xffffffff;
	uint64_t low;
	uint16_t high;
	struct uuid u;

	bug_on(number >> NUMBER_BITS != 0 || place.index >> INDEX_BITS != 0);
	/* 74 bits: writer 8, incarnation 24 (4 of them high), rest low */
	high = (uint16_t)(writer << 4 | incarnation >> 20);
	low = (incarnation & 0xfffff) << (NUMBER_BITS + INDEX_BITS) |
	    number << INDEX_BITS | place.index;
	for (int i = 0; i < 6; i++) {
		u.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	}
	u.b[6] = (uint8_t)(0x70 | high >> 8);
	u.b[7] = (uint8_t)high;
	for (int i = 0; i < 8; i++) {
		u.b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	return u;
}

struct uuid
uuid_random(void)
{
	/* For each alone the generator costs more than all the rest. */
	static struct uuid pool[RANDOM_POOL];
	static unsigned left;
	struct uuid u;

	if (left == 0) {
		left = RANDOM_POOL;
		bug_on(RAND_bytes((uint8_t *)pool, sizeof(pool)) != 1);
	}
	u = pool[--left];
	u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	return u;
}

struct uuid_place
uuid_place(const struct uuid *u)
{
	uint64_t high = (uint64_t)(u->b[6] & 0x0f) << 8 | u->b[7];
	uint64_t low = u->b[8] & 0x3f;
	uint64_t incarnation, number;

	for (int i = 1; i < 8; i++) {
		low = low << 8 | u->b[8 + i];
	}
	incarnation = (high & 0xf) << 20 | low >> (NUMBER_BITS + INDEX_BITS);
	number = low >> INDEX_BITS & ((1u << NUMBER_BITS) - 1);
	return (struct uuid_place){
		.segid = high >> 4 << 56 | incarnation << 32 | number,
		.index = (uint32_t)(low & ((1u << INDEX_BITS) - 1)),
	};
}

uint64_t
uuid_wall_ms(const struct uuid *u)
{
	uint64_t ms = 0;

	for (int i = 0; i < 6; i++) {
		ms = ms << 8 | u->b[i];
	}
	return ms;
}

bool
uuid_is_null(const struct uuid *u)
{
	static const struct uuid null;

	return memcmp(u, &null, sizeof(null)) == 0;
}

bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

void
uuid_print(const struct uuid *u, char *dst)
{
	char hex[33];

	str_hex(hex, u->b, sizeof(u->b));
	(void)snprintf(dst, UUID_TEXT_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex,
	    hex + 8, hex + 12, hex + 16, hex + 20);
}

int
uuid_parse(struct str s, struct uuid *out)
{
	static const uint8_t parts[] = { 4, 2, 2, 2, 6 };
	struct uuid u;
	size_t at = 0, byte = 0;

	if (s.len != UUID_TEXT_SIZE - 1) {
		return -EINVAL;
	}
	for (size_t i = 0; i < array_len(parts); i++) {
		struct str hex = { s.p + at, (size_t)parts[i] * 2 };

		if (i != 0 && s.p[at - 1] != '-') {
			return -EINVAL;
		}
		if (str_unhex(u.b + byte, parts[i], hex) < 0) {
			return -EINVAL;
		}
		byte += parts[i];
		at += hex.len + 1;
	}
	*out = u;
	return 0;
}

uint64_t
segment_id(uint8_t writer, uint32_t incarnation, uint32_t number)
{
	return (uint64_t)writer << 56 |
	    (uint64_t)(incarnation & 0xffffff) << 32 | number;
}

void
segment_name(uint64_t segid, char *dst)
{
	(void)snprintf(dst, SEGMENT_NAME_SIZE, "%06x-%08x.seg",
	    (unsigned)(segid >> 32 & 0xffffff), (unsigned)segid);
}

int
segment_name_parse(uint8_t writer, struct str name, uint64_t *segid)
{
	uint8_t b[7];
	struct str a = { name.p, 6 }, c = { name.p + 7, 8 };

	if (name.len != 19 || name.p[6] != '-' ||
	    memcmp(name.p + 15, ".seg", 4) != 0 || str_unhex(b, 3, a) < 0 ||
	    str_unhex(b + 3, 4, c) < 0) {
		return -EINVAL;
	}
	*segid = segment_id(writer,
	    (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2],
	    (uint32_t)b[3] << 24 | (uint32_t)b[4] << 16 | (uint32_t)b[5] << 8 |
		b[6]);
	return 0;
}
