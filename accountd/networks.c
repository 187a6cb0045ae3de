#include "networks.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "domain.h"

struct network {
	struct domain_ip ip;
	unsigned bits;
};

/* Takes the next word off the front. */
static bool
next_word(struct str *list, struct str *word)
{
	size_t i = 0;

	while (list->len > 0 && strchr(", \t", list->p[0]) != NULL) {
		list->p++;
		list->len--;
	}
	while (i < list->len && strchr(", \t", list->p[i]) == NULL) {
		i++;
	}
	*word = (struct str){ list->p, i };
	list->p += i;
	list->len -= i;
	return i > 0;
}

/* ::ffff:192.0.2.1 is 192.0.2.1 to whoever connects. */
static void
normalize(struct network *n)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (n->ip.family == AF_INET6 && n->bits >= 96 &&
	    memcmp(n->ip.addr, mapped, sizeof(mapped)) == 0) {
		memmove(n->ip.addr, n->ip.addr + 12, 4);
		n->ip.family = AF_INET;
		n->bits -= 96;
	}
}

static int
parse(struct str word, struct network *out)
{
	const char *slash = word.len > 0 ? memchr(word.p, '/', word.len) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - word.p) : word.len;
	uint64_t bits;

	if (domain_ip_parse(word.p, n, &out->ip) < 0) {
		return -EINVAL;
	}
	bits = out->ip.family == AF_INET ? 32 : 128;
	if (slash != NULL &&
	    str_u64((struct str){ slash + 1, word.len - n - 1 }, bits, &bits) <
		0) {
		return -EINVAL;
	}
	out->bits = (unsigned)bits;
	normalize(out);
	return 0;
}

static bool
has_host_bits(const struct network *n)
{
	unsigned total = n->ip.family == AF_INET ? 32 : 128;

	for (unsigned i = n->bits; i < total; i++) {
		if (n->ip.addr[i / 8] & 0x80 >> i % 8) {
			return true;
		}
	}
	return false;
}

int
networks_check(struct str list, struct str *bad)
{
	struct str word;

	while (next_word(&list, &word)) {
		struct network n;

		if (parse(word, &n) < 0 || has_host_bits(&n)) {
			*bad = word;
			return -EINVAL;
		}
	}
	return 0;
}

static bool
contains(const struct network *n, const struct domain_ip *ip)
{
	size_t whole = n->bits / 8;
	unsigned rest = n->bits % 8;

	if (n->ip.family != ip->family ||
	    memcmp(n->ip.addr, ip->addr, whole) != 0) {
		return false;
	}
	return rest == 0 ||
	    (n->ip.addr[whole] ^ ip->addr[whole]) >> (8 - rest) == 0;
}

bool
networks_contain(struct str list, struct str ip)
{
	struct network one;
	struct str word;

	if (parse(ip, &one) < 0) {
		return false;
	}
	while (next_word(&list, &word)) {
		struct network n;

		if (parse(word, &n) == 0 && contains(&n, &one.ip)) {
			return true;
		}
	}
	return false;
}
