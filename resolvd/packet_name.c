#include "packet.h"

#include <errno.h>

/* Labels in text form, so far. */
struct text {
	char *dst;
	size_t len;
	size_t wire; /* bytes of the uncompressed name, 255 at most */
	bool is_odd;
};

static int
add_label(struct text *t, const uint8_t *label, size_t n)
{
	t->wire += n + 1;
	if (t->wire + 1 > 255) { /* RFC 1035 section 3.1, with the root */
		return -EBADMSG;
	}
	if (t->len > 0) {
		t->dst[t->len++] = '.';
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t c = label[i];

		if (c <= ' ' || c > '~' || c == '.' || c == '\\') {
			t->is_odd = true;
		}
		if (c >= 'A' && c <= 'Z') {
			c = (uint8_t)(c + ('a' - 'A'));
		}
		t->dst[t->len++] = (char)c;
	}
	return 0;
}

static int
finish(struct text *t)
{
	t->dst[t->is_odd ? 0 : t->len] = '\0';
	return t->is_odd ? -EILSEQ : 0;
}

int
packet_name(
    const uint8_t *p, size_t len, size_t *off, char dst[DOMAIN_NAME_MAX + 1])
{
	struct text t = { .dst = dst };
	size_t at = *off;
	size_t limit = *off; /* a pointer must lead before this */
	bool has_jumped = false;

	while (at < len) {
		uint8_t n = p[at];

		if (n == 0) {
			*off = has_jumped ? *off : at + 1;
			return finish(&t);
		}
		if ((n & 0xc0) == 0xc0) {
			size_t to;

			if (at + 2 > len) {
				return -EBADMSG;
			}
			to = (size_t)(n & 0x3f) << 8 | p[at + 1];
			if (to >= limit) {
				return -EBADMSG; /* forwards, or a loop */
			}
			*off = has_jumped ? *off : at + 2;
			has_jumped = true;
			limit = at = to;
			continue;
		}
		if ((n & 0xc0) != 0 || n >= len - at ||
		    add_label(&t, p + at + 1, n) < 0) {
			return -EBADMSG;
		}
		at += n + 1u;
	}
	return -EBADMSG;
}
