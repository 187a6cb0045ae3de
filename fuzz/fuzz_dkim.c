#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "dkim.h"
#include "fuzz.h"

/* Cuts change no body hash; the copied fields give the same signature. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	uint8_t whole[DKIM_HASH_LEN], cut[DKIM_HASH_LEN], secret[32] = { 1 };
	char a[DKIM_SIGNATURE_MAX], b[DKIM_SIGNATURE_MAX], copy[4096];
	struct dkim_body h;
	struct dkim_request req = { p, size, whole, "a.example", "s", NULL,
		DKIM_ED25519_SHA256, 1, 2 };
	ssize_t n, k;

	assert(dkim_body_init(&h, true) == 0);
	dkim_body_update(&h, p, size);
	assert(dkim_body_final(&h, whole) == 0);
	dkim_body_reset(&h, true);
	for (size_t i = 0; i < size; i++) {
		dkim_body_update(&h, p + i, 1);
	}
	assert(dkim_body_final(&h, cut) == 0);
	dkim_body_fini(&h);
	assert(memcmp(whole, cut, sizeof(cut)) == 0);
	req.key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
	n = dkim_make_signature(&req, a, sizeof(a));
	k = dkim_copy_signed(p, size, copy, sizeof(copy));
	req.header = copy;
	req.header_len = k < 0 ? 0 : (size_t)k;
	assert(k < 0 || dkim_make_signature(&req, b, sizeof(b)) == n);
	assert(k < 0 || n < 0 || memcmp(a, b, (size_t)n) == 0);
	EVP_PKEY_free(req.key);
	return 0;
}
