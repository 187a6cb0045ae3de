#include "site_key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "domain.h"

/* Bytes of the hash that stand in a site's name. */
#define HASH_BYTES 8

static void
add_hosts(struct buf *b, const struct mx_host *hosts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i > 0) {
			buf_u8(
			    b, hosts[i].pref == hosts[i - 1].pref ? ',' : ';');
		}
		buf_puts(b, hosts[i].name);
	}
}

void
site_key(const struct mx_host *hosts, unsigned n, char dst[SITE_SIZE])
{
	struct buf all = { 0 };

	if (n == 1) {
		(void)snprintf(dst, SITE_SIZE, "%s", hosts[0].name);
		return;
	}
	add_hosts(&all, hosts, n);
	if (all.len <= SITE_READABLE_MAX) {
		str_copy(dst, SITE_SIZE, buf_str(&all));
	} else {
		uint8_t hash[SHA256_DIGEST_LENGTH];
		char hex[2 * HASH_BYTES + 1];

		(void)SHA256(all.p, all.len, hash);
		str_hex(hex, hash, HASH_BYTES);
		(void)snprintf(dst, SITE_SIZE, "%.*s+%s",
		    SITE_SIZE - 2 * HASH_BYTES - 2, hosts[0].name, hex);
	}
	buf_fini(&all);
}

/* Usual second levels under country codes; none that is a known company. */
static const char *const second_levels[] = { "ac", "asn", "asso", "co", "com",
	"edu", "go", "gob", "gouv", "gov", "govt", "gv", "ltd", "mil", "ne",
	"net", "nhs", "nom", "or", "org", "plc", "police", "sch" };

static bool
is_second_level(const char *label, size_t len)
{
	for (size_t i = 0; i < array_len(second_levels); i++) {
		if (strlen(second_levels[i]) == len &&
		    memcmp(second_levels[i], label, len) == 0) {
			return true;
		}
	}
	return false;
}

/* Where the label that ends before end begins. */
static const char *
label_before(const char *host, const char *end)
{
	while (end > host && end[-1] != '.') {
		end--;
	}
	return end;
}

void
site_provider(const char *host, char dst[SITE_SIZE])
{
	struct domain_ip ip;
	size_t len = strlen(host);
	const char *top = label_before(host, host + len);
	const char *at = host;

	if (top > host && domain_ip_parse(host, len, &ip) < 0) {
		const char *second = label_before(host, top - 1);

		at = second;
		if (strlen(top) == 2 && second > host &&
		    is_second_level(second, (size_t)(top - 1 - second))) {
			at = label_before(host, second - 1);
		}
	}
	(void)snprintf(dst, SITE_SIZE, "%s", at);
}
