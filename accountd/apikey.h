/*
 * API keys as people carry them: pb_<id>_<43 letters and digits>, or pbt_ for
 * test keys. The id inside finds the record; the rest is 256 bits of chance.
 */
#ifndef ACCOUNTD_APIKEY_H
#define ACCOUNTD_APIKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "schema.h"
#include "str.h"

#define APIKEY_SALT_LEN 16
#define APIKEY_HASH_LEN 32
/* Bytes of a key's text at most, with the NUL. */
#define APIKEY_TEXT_MAX 64

struct apikey {
	char text[APIKEY_TEXT_MAX]; /* shown once; the caller wipes it */
	uint8_t salt[APIKEY_SALT_LEN];
	uint8_t hash[APIKEY_HASH_LEN];
};

/* Makes the key of that id. 0, or -EIO without randomness. */
int apikey_make(uint32_t id, bool is_test, struct apikey *out) MUST_CHECK;

/* The id inside a password. -EINVAL when it has not the form of a key. */
int apikey_id(struct str password, uint32_t *id) MUST_CHECK;

/* Is this the password of the record? In constant time. key NULL: spends
 * the same time and says no. */
bool apikey_matches(const struct schema_key *key, struct str password);

#endif
