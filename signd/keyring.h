/*
 * Which account may sign for which domain, with which keys. Keys are read
 * and tried out by the first thread that needs them, then stay in memory.
 */
#ifndef SIGND_KEYRING_H
#define SIGND_KEYRING_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "dkim.h"
#include "keyfile.h"

/* A key in use. The loop owns the references, threads only borrow. */
struct key {
	unsigned refs;
	char *domain;
	char *selector;
	pthread_mutex_t lock; /* guards loading; after it all is constant */
	bool is_loaded;
	char why[80]; /* what libopendkim did not like; may be empty */
	EVP_PKEY *pkey;
	enum dkim_algorithm algorithm;
	struct buf pem; /* NUL-terminated; kept for libopendkim only */
	char record[KEYFILE_RECORD_MAX];
};

/* Up to two selectors sign for a domain: RSA first, Ed25519 second. */
#define BINDING_KEYS 2

struct binding {
	uint32_t account;
	struct key *keys[BINDING_KEYS]; /* NULL: none */
};

struct keyring;

/* dir: the directory of the keys, open, or AT_FDCWD. Never NULL. */
struct keyring *keyring_new(int dir, bool keeps_pem);
void keyring_free(struct keyring **k);

/*
 * Sets the keys with which the account signs for the domain; empty
 * selectors: none, the account may not sign for it. Keys named before stay
 * loaded.
 */
void keyring_bind(struct keyring *k, uint32_t account, struct str domain,
    struct str selector1, struct str selector2);

/* Forgets the domain of the account. Its key files are not touched. */
void keyring_forget(struct keyring *k, uint32_t account, struct str domain);

/*
 * What signs for a domain of an account, valid until it is bound anew.
 * Returns 0; -ENOENT when nobody here signs for the domain; -EACCES when only
 * other accounts do.
 */
int keyring_find(const struct keyring *k, uint32_t account, struct str domain,
    struct binding **out) MUST_CHECK;

void key_ref(struct key *key);
void key_unref(struct key *key); /* NULL allowed */

/*
 * In a thread: loads the key unless it is loaded, and signs and verifies a
 * message with it once. After a failure the next call tries again. Returns 0;
 * -EKEYREJECTED when libopendkim does not verify what it signs; or as
 * keyfile_load.
 */
int keyring_load(const struct keyring *k, struct key *key) MUST_CHECK;

#endif
