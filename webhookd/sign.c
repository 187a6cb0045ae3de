#include "sign.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

/* HMAC over the parts in their order. The length of the result or -EIO. */
static int
hmac(const char *digest, struct str key, const struct str *parts, size_t n,
    uint8_t out[EVP_MAX_MD_SIZE])
{
	static const unsigned char none[1];
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	char name[16];
	OSSL_PARAM params[2];
	size_t len = 0;
	int r = -EIO;

	str_copy(name, sizeof(name), str_of(digest));
	params[0] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	/* A NULL key would mean the one before. */
	if (ctx == NULL ||
	    EVP_MAC_init(ctx,
		key.len != 0 ? (const unsigned char *)key.p : none, key.len,
		params) != 1) {
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len != 0 &&
		    EVP_MAC_update(ctx, (const unsigned char *)parts[i].p,
			parts[i].len) != 1) {
			goto out;
		}
	}
	if (EVP_MAC_final(ctx, out, &len, EVP_MAX_MD_SIZE) == 1) {
		r = (int)len;
	}
out:
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return r;
}

int
sign_v1(
    struct str secret, uint64_t time_s, struct str body, char out[SIGN_V1_SIZE])
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	struct buf time = { 0 };
	int r;

	buf_printf(&time, "%llu.", (unsigned long long)time_s);
	{
		const struct str parts[] = { buf_str(&time), body };

		r = hmac("SHA256", secret, parts, array_len(parts), sum);
	}
	buf_fini(&time);
	if (r < 0) {
		return r;
	}
	str_hex(out, sum, (size_t)r);
	return 0;
}

int
sign_header(struct buf *out, struct str secret, struct str old_secret,
    uint64_t time_s, struct str body)
{
	char hex[SIGN_V1_SIZE], old[SIGN_V1_SIZE] = "";
	int r = sign_v1(secret, time_s, body, hex);

	if (r == 0 && old_secret.len != 0) {
		r = sign_v1(old_secret, time_s, body, old);
	}
	if (r < 0) {
		return r;
	}
	buf_printf(out, "Packetboat-Signature: t=%llu,v1=%s",
	    (unsigned long long)time_s, hex);
	if (old[0] != '\0') {
		buf_printf(out, ",v1=%s", old);
	}
	return 0;
}

int
sign_mandrill(
    struct buf *out, struct str secret, struct str url, struct str events)
{
	const struct str parts[] = { url, STR("mandrill_events"), events };
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned char text[2 * EVP_MAX_MD_SIZE];
	int r = hmac("SHA1", secret, parts, array_len(parts), sum);

	if (r < 0) {
		return r;
	}
	r = EVP_EncodeBlock(text, sum, r);
	buf_puts(out, "X-Mandrill-Signature: ");
	buf_add(out, text, (size_t)r);
	return 0;
}
