#include "apikey.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define SECRET_LEN 43 /* 62 to the power of 43 is above 2 to that of 256 */

static const char digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static int
make_secret(char *dst)
{
	uint8_t pool[64];
	size_t n = 0;

	while (n < SECRET_LEN) {
		if (RAND_bytes(pool, sizeof(pool)) != 1) {
			return -EIO;
		}
		for (size_t i = 0; i < sizeof(pool) && n < SECRET_LEN; i++) {
			/* 248 is 4 * 62: above it digits would be uneven */
			if (pool[i] < 248) {
				dst[n++] = digits[pool[i] % 62];
			}
		}
	}
	explicit_bzero(pool, sizeof(pool));
	dst[n] = '\0';
	return 0;
}

/*
 * One round of HMAC-SHA256 is enough: a slow hash protects passwords that
 * can be guessed, but nobody guesses 256 random bits, and every AUTH would pay
 * for it.
 */
static int
hash_password(const uint8_t *salt, struct str password, uint8_t *hash)
{
	unsigned n = 0;

	if (HMAC(EVP_sha256(), salt, APIKEY_SALT_LEN,
		(const unsigned char *)(password.p != NULL ? password.p : ""),
		password.len, hash, &n) == NULL ||
	    n != APIKEY_HASH_LEN) {
		return -EIO;
	}
	return 0;
}

int
apikey_make(uint32_t id, bool is_test, struct apikey *out)
{
	char secret[SECRET_LEN + 1];
	int r = make_secret(secret);

	if (r == 0 && RAND_bytes(out->salt, sizeof(out->salt)) != 1) {
		r = -EIO;
	}
	if (r == 0) {
		snprintf(out->text, sizeof(out->text), "%s_%u_%s",
		    is_test ? "pbt" : "pb", id, secret);
		r = hash_password(out->salt, str_of(out->text), out->hash);
	}
	explicit_bzero(secret, sizeof(secret));
	return r;
}

int
apikey_id(struct str password, uint32_t *id)
{
	struct str part;
	uint64_t n = 0;

	if (!str_split(&password, '_', &part) ||
	    (!str_is(part, "pb") && !str_is(part, "pbt")) ||
	    !str_split(&password, '_', &part) ||
	    str_u64(part, UINT32_MAX, &n) < 0 || n == 0 ||
	    password.len != SECRET_LEN) {
		return -EINVAL;
	}
	*id = (uint32_t)n;
	return 0;
}

bool
apikey_matches(const struct schema_key *key, struct str password)
{
	static const uint8_t none[APIKEY_HASH_LEN];
	const bool is_real = key != NULL && key->salt.len == APIKEY_SALT_LEN &&
	    key->hash.len == APIKEY_HASH_LEN;
	uint8_t hash[APIKEY_HASH_LEN];
	bool same;

	if (hash_password(is_real ? (const uint8_t *)key->salt.p : none,
		password, hash) < 0) {
		return false;
	}
	same = CRYPTO_memcmp(hash, is_real ? key->hash.p : (const char *)none,
		   sizeof(hash)) == 0;
	explicit_bzero(hash, sizeof(hash));
	return same && is_real;
}
