#include "next_hop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* Takes ":port" off the end of *s, where colon is its first byte or NULL. */
static int
take_port(struct str *s, const char *colon, uint16_t *port)
{
	struct str digits;
	uint64_t n;

	if (colon == NULL) {
		return 0;
	}
	digits = (struct str){ colon + 1, (size_t)(s->p + s->len - colon) - 1 };
	if (str_u64(digits, UINT16_MAX, &n) < 0 || n == 0) {
		return -EBADMSG;
	}
	*port = (uint16_t)n;
	s->len = (size_t)(colon - s->p);
	return 0;
}

/* The only colon, or the one behind a bracket; NULL: no port. */
static int
find_port(struct str s, const char **colon)
{
	const char *end = s.p + s.len;
	const char *at;

	*colon = NULL;
	if (s.len > 0 && s.p[0] == '[') {
		at = memchr(s.p, ']', s.len);
		if (at == NULL || (at + 1 < end && at[1] != ':')) {
			return -EBADMSG;
		}
		*colon = at + 1 < end ? at + 1 : NULL;
		return 0;
	}
	at = s.len > 0 ? memchr(s.p, ':', s.len) : NULL;
	if (at != NULL && memchr(at + 1, ':', (size_t)(end - at) - 1) == NULL) {
		*colon = at;
	}
	return 0;
}

static bool
take_address(struct str s, struct next_hop *h)
{
	struct domain_ip ip;

	if (domain_ip_parse(s.p, s.len, &ip) < 0 &&
	    domain_literal_parse(s.p, s.len, &ip) < 0 &&
	    (s.len < 2 || s.p[0] != '[' ||
		domain_ip_parse(s.p + 1, s.len - 2, &ip) < 0)) {
		return false;
	}
	h->is_address = true;
	return inet_ntop(ip.family, ip.addr, h->name, sizeof(h->name)) != NULL;
}

bool
next_hop_take_smtps(struct str *s)
{
	static const char word[] = "smtps:";
	size_t n = sizeof(word) - 1;

	if (s->len < n || strncasecmp(s->p, word, n) != 0) {
		return false;
	}
	*s = (struct str){ s->p + n, s->len - n };
	return true;
}

int
next_hop_parse(struct str s, struct next_hop *out)
{
	struct next_hop h = { .is_tls = next_hop_take_smtps(&s) };
	const char *colon;

	h.port = h.is_tls ? SMTPS_PORT : 0;

	if (find_port(s, &colon) < 0 || take_port(&s, colon, &h.port) < 0) {
		return -EBADMSG;
	}
	if (!take_address(s, &h)) {
		h.has_mx = s.len == 0 || s.p[0] != '[';
		if (!h.has_mx) {
			s = (struct str){ s.p + 1, s.len - 2 };
		}
		if (domain_to_ascii(s.p, s.len, DOMAIN_UNDERSCORE, h.name,
			sizeof(h.name)) < 0) {
			return -EBADMSG;
		}
	}
	*out = h;
	return 0;
}
