/*
 * DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed, in two halves: the
 * hash of the body, made where the body passes by, and the signature, made
 * where the keys are. Between them travel 32 bytes and a few header fields.
 * No l= tag; the fields that matter are signed once more than they occur,
 * so that none can be added (RFC 6376 section 8.15).
 *
 * libopendkim has a header of this name and a function dkim_sign, so ours
 * is dkim_make_signature; who needs both includes <opendkim/dkim.h>.
 */
#ifndef LIB_DKIM_H
#define LIB_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/evp.h>

#include "attr.h"

enum {
	DKIM_HASH_LEN = 32, /* SHA-256 */
	/* More fields than this to sign is refused: no honest mail. */
	DKIM_FIELDS_MAX = 128,
	/* Enough for every signature; RSA keys end at 4096 bits. */
	DKIM_SIGNATURE_MAX = 6144,
};

/* The relaxed body hash, as the body comes in. Contents are private. */
struct dkim_body {
	EVP_MD_CTX *md;
	uint64_t newlines; /* line ends not yet passed on */
	size_t buf_len;
	bool unstuff;
	bool at_start;	/* at the first byte of a line */
	bool after_cr;	/* a CR that may begin a line end */
	bool has_space; /* white space not yet passed on */
	bool has_text;	/* something was passed on */
	bool failed;
	char buf[512];
};

/*
 * Begin. unstuff: the body comes as DATA sent it, with doubled dots.
 * Returns 0, or -ENOMEM; then nothing needs to be freed.
 */
int dkim_body_init(struct dkim_body *b, bool unstuff) MUST_CHECK;

/* Begin another body in the same object: cheaper than fini and init. */
void dkim_body_reset(struct dkim_body *b, bool unstuff);

/* Free what init took. Zeroed memory and a second call are fine. */
void dkim_body_fini(struct dkim_body *b);

/* Hash the next bytes of the body (RFC 6376 section 3.4.4). */
void dkim_body_update(struct dkim_body *b, const char *p, size_t len);

/*
 * The hash of all that came. Returns 0, or -EIO if the crypto library
 * failed anywhere. Then only reset or fini may follow.
 */
int dkim_body_final(
    struct dkim_body *b, uint8_t hash[DKIM_HASH_LEN]) MUST_CHECK;

enum dkim_algorithm {
	DKIM_RSA_SHA256,
	DKIM_ED25519_SHA256, /* RFC 8463 */
};

/* All that goes into one signature; the caller owns everything. */
struct dkim_request {
	const char *header; /* all, or what dkim_copy_signed left */
	size_t header_len;
	const uint8_t *body_hash; /* DKIM_HASH_LEN bytes */
	const char *domain;	  /* d=, A-labels, NUL-terminated */
	const char *selector;	  /* s=, NUL-terminated */
	EVP_PKEY *key;		  /* not consumed; may be shared */
	enum dkim_algorithm algorithm;
	uint64_t time_s;    /* t=, seconds since 1970 */
	uint64_t expires_s; /* x=, seconds since 1970; 0: no x= */
};

/*
 * Sign. Writes the whole field, "DKIM-Signature: ..." with its final CRLF,
 * folded to 76 columns (a tab counts 8; a longer name is not broken), no
 * NUL. The same request with the same key gives the same bytes.
 *
 * Returns the length in bytes; -EINVAL for a domain or selector that is
 * none, a key that is too long or not of the algorithm, or expires_s not
 * after time_s; -ENODATA for a header without From (RFC 6376 section 5.4);
 * -E2BIG above DKIM_FIELDS_MAX fields to sign; -ENOSPC when out_size is too
 * small; -ENOMEM; -EIO when the crypto library fails. out is undefined on
 * error.
 */
ssize_t dkim_make_signature(
    const struct dkim_request *req, char *out, size_t out_size) MUST_CHECK;

/*
 * Copy the fields that dkim_make_signature would sign, unchanged and in
 * order, so that only they need to travel. Signing the copy gives the same
 * bytes as signing the header.
 *
 * Returns the length in bytes, never above header_len; -ENOSPC when
 * out_size is too small; out is undefined then.
 */
ssize_t dkim_copy_signed(const char *header, size_t header_len, char *out,
    size_t out_size) MUST_CHECK;

#endif
