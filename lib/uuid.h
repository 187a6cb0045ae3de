/*
 * Message ids: UUIDs of version 7 (RFC 9562 section 5.7). The 74 bits that the
 * version leaves free tell where the message was first stored:
 * writer (8) | incarnation (24) | segment number (22) | index (20).
 */
#ifndef LIB_UUID_H
#define LIB_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

#define UUID_TEXT_SIZE 37 /* with the NUL */

struct uuid {
	uint8_t b[16];
};

/* Where a message was stored first. */
struct uuid_place {
	uint64_t segid; /* as segment_id() makes it */
	uint32_t index; /* of the message in its segment, below 2^20 */
};

/* wall_us: time of acceptance. Segment numbers from 2^22 on are a bug. */
struct uuid uuid_make(uint64_t wall_us, struct uuid_place place);

/* A version 4 UUID for what has no place: events, sessions. Of the loop's
 * thread only; drawn in advance, so that it is no secret. */
struct uuid uuid_random(void);

struct uuid_place uuid_place(const struct uuid *u);
uint64_t uuid_wall_ms(const struct uuid *u);
bool uuid_is_null(const struct uuid *u);
bool uuid_eq(const struct uuid *a, const struct uuid *b);

/* 8-4-4-4-12 lower-case hex digits. dst has UUID_TEXT_SIZE bytes. */
void uuid_print(const struct uuid *u, char *dst);

/* Returns 0, or -EINVAL when s is not a UUID in that form (any case). */
int uuid_parse(struct str s, struct uuid *out) MUST_CHECK;

/*
 * A segment's id: writer:8 | incarnation:24 | number:32. The incarnation
 * rises with every start of master, so an id is never used twice.
 */
uint64_t segment_id(uint8_t writer, uint32_t incarnation, uint32_t number);

/* "<incarnation, 6 hex>-<number, 8 hex>.seg" and back. */
#define SEGMENT_NAME_SIZE 32
void segment_name(uint64_t segid, char *dst);
int segment_name_parse(
    uint8_t writer, struct str name, uint64_t *segid) MUST_CHECK;

#endif
