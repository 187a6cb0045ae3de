/*
 * Signatures for one message: what a thread does for a sign_req.
 */
#ifndef SIGND_SIGN_H
#define SIGND_SIGN_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "keyring.h"

struct sign_input {
	const struct keyring *ring;
	struct key *keys[BINDING_KEYS]; /* NULL: none */
	const uint8_t *body_hash;	/* DKIM_HASH_LEN bytes */
	struct str header;
	int fd; /* the whole message, or -1 */
	bool use_opendkim;
	uint64_t time_s;
};

struct sign_output {
	struct buf fields;   /* DKIM-Signature fields, RSA first */
	struct key *bad_key; /* failed to load, or to sign; else NULL */
	int bad_key_error;   /* of that key */
	bool sample_failed;  /* libopendkim does not verify the result */
	char why[80];	     /* more about either */
};

/*
 * Signs with every key. A key that fails is left out as long as another
 * one signs. A message that came along is used to verify each signature.
 * Returns 0; -ENOKEY when no key signed; -EINVAL when libopendkim is to sign
 * and the message is missing; or as dkim_make_signature. The caller frees
 * out->fields in any case.
 */
int sign_message(
    const struct sign_input *in, struct sign_output *out) MUST_CHECK;

#endif
