#include "journal_index.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"
#include "journal.h"
#include "journal_index_format.h"

/* ---- keys --------------------------------------------------------------- */

static uint64_t
hash_byte(uint64_t h, unsigned char c)
{
	return (h ^ c) * 0x100000001b3ULL;
}

/* FNV-1a, and the finish of MurmurHash3, since the low bits of the former are
 * poor. */
static uint64_t
finish(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

uint64_t
journal_key(enum journal_key_kind kind, struct str value)
{
	uint64_t h = hash_byte(0xcbf29ce484222325ULL, (unsigned char)kind);
	bool folds = kind == JOURNAL_KEY_RCPT || kind == JOURNAL_KEY_DOMAIN ||
	    kind == JOURNAL_KEY_SENDER;

	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (folds && c >= 'A' && c <= 'Z') {
			c = (unsigned char)(c + ('a' - 'A'));
		}
		h = hash_byte(h, c);
	}
	return finish(h);
}

uint64_t
journal_key_file(enum journal_key_kind kind, uint32_t number)
{
	const char b[] = { (char)number, (char)(number >> 8),
		(char)(number >> 16), (char)(number >> 24) };

	return journal_key(kind, (struct str){ b, sizeof(b) });
}

void
index_filter_add(uint8_t *filter, uint32_t blocks, uint64_t key)
{
	uint8_t *p = filter + index_filter_block(key, blocks) * INDEX_BLOCK;
	uint64_t bits = index_filter_bits(key);

	for (int i = 0; i < INDEX_PROBES; i++, bits >>= 9) {
		p[(bits & 511) / 8] |= (uint8_t)(1u << (bits & 7));
	}
}

bool
journal_stretch_may_have(const struct journal_stretch *s, uint64_t key)
{
	uint64_t bits = index_filter_bits(key);
	const uint8_t *p;

	if (s->blocks == 0) {
		return false;
	}
	p = s->filter + index_filter_block(key, s->blocks) * INDEX_BLOCK;
	for (int i = 0; i < INDEX_PROBES; i++, bits >>= 9) {
		if ((p[(bits & 511) / 8] >> (bits & 7) & 1) == 0) {
			return false;
		}
	}
	return true;
}

/* ---- the file ----------------------------------------------------------- */

void
journal_index_name(uint32_t number, char *dst)
{
	(void)snprintf(dst, JOURNAL_NAME_SIZE, "%08x.idx", number);
}

int
journal_index_name_parse(struct str name, uint32_t *number)
{
	uint8_t b[4];
	struct str hex = { name.p, 8 };

	if (name.len != 12 || memcmp(name.p + 8, ".idx", 4) != 0 ||
	    str_unhex(b, 4, hex) < 0) {
		return -EINVAL;
	}
	*number = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];
	return 0;
}

static void
read_stretch(const uint8_t *p, uint32_t i, struct index_stretch *s)
{
	memcpy(s, p + ((size_t)i + 1) * sizeof(*s), sizeof(*s));
}

/* Everything that a reader follows lies in the text, and in order. */
static bool
is_sound(struct str text, const struct index_header *h)
{
	uint64_t units = text.len / INDEX_BLOCK;
	uint64_t end = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		struct index_stretch s;

		read_stretch((const uint8_t *)text.p, i, &s);
		if (s.off < end || s.end <= s.off || s.end > h->size ||
		    (uint64_t)s.filter + s.blocks > units) {
			return false;
		}
		end = s.end;
	}
	return true;
}

int
journal_index_open(struct str text, uint32_t number, struct journal_index *out)
{
	struct index_header h;

	if (text.len < sizeof(h)) {
		return -EBADMSG;
	}
	memcpy(&h, text.p, sizeof(h));
	if (memcmp(h.magic, INDEX_MAGIC, sizeof(h.magic)) != 0 ||
	    crc32c(0, &h, offsetof(struct index_header, crc)) != h.crc ||
	    h.segid != journal_segid(number) || h.total != text.len ||
	    text.len % INDEX_BLOCK != 0 || h.n >= text.len / INDEX_BLOCK ||
	    crc32c(0, text.p + sizeof(h), text.len - sizeof(h)) != h.body_crc ||
	    !is_sound(text, &h)) {
		return -EBADMSG;
	}
	*out = (struct journal_index){ .p = (const uint8_t *)text.p,
		.size = h.size,
		.first_us = h.first_us,
		.n = h.n };
	return 0;
}

void
journal_index_stretch(
    const struct journal_index *x, uint32_t i, struct journal_stretch *out)
{
	struct index_stretch s;

	bug_on(i >= x->n);
	read_stretch(x->p, i, &s);
	*out = (struct journal_stretch){ .off = s.off,
		.end = s.end,
		.first_us = s.first_us,
		.last_us = s.last_us,
		.kinds = { s.kinds[0], s.kinds[1] },
		.filter = x->p + (size_t)s.filter * INDEX_BLOCK,
		.blocks = s.blocks };
}
