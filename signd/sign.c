#include "sign.h"

#include <errno.h>
#include <stdio.h>

#include "odkim.h"

static int
sign_native(const struct sign_input *in, const struct key *key, struct buf *out)
{
	const struct dkim_request req = {
		.header = in->header.p,
		.header_len = in->header.len,
		.body_hash = in->body_hash,
		.domain = key->domain,
		.selector = key->selector,
		.key = key->pkey,
		.algorithm = key->algorithm,
		.time_s = in->time_s,
	};
	uint8_t *at = buf_reserve(out, DKIM_SIGNATURE_MAX);
	ssize_t n = dkim_make_signature(&req, (char *)at, DKIM_SIGNATURE_MAX);

	if (n < 0) {
		return (int)n;
	}
	out->len += (size_t)n;
	return 0;
}

static int
sign_opendkim(
    const struct sign_input *in, const struct key *key, struct buf *out)
{
	const struct odkim_message m = { .fd = in->fd };

	if (in->fd < 0) {
		return -EINVAL;
	}
	/* Ed25519 would leak the key each time: that one stays ours. */
	if (key->algorithm != DKIM_RSA_SHA256) {
		return sign_native(in, key, out);
	}
	return odkim_sign(
	    key->domain, key->selector, (const char *)key->pem.p, &m, out);
}

static void
check_sample(const struct sign_input *in, const struct key *key,
    struct str field, struct sign_output *out)
{
	const struct odkim_message m = { .fd = in->fd };
	char why[80];

	if (odkim_verify(field, &m, key->record, why) == -EKEYREJECTED) {
		out->sample_failed = true;
		snprintf(out->why, sizeof(out->why), "%s", why);
	}
}

static int
sign_with(const struct sign_input *in, struct key *key, struct sign_output *out)
{
	size_t before = out->fields.len;
	int r = keyring_load(in->ring, key);

	if (r < 0) {
		out->bad_key = key;
		out->bad_key_error = r;
		snprintf(out->why, sizeof(out->why), "%s", key->why);
		return -ENOKEY;
	}
	r = in->use_opendkim ? sign_opendkim(in, key, &out->fields)
			     : sign_native(in, key, &out->fields);
	if (r == 0 && in->fd >= 0) {
		struct str field = buf_str(&out->fields);

		field.p += before;
		field.len -= before;
		check_sample(in, key, field, out);
	}
	return r;
}

int
sign_message(const struct sign_input *in, struct sign_output *out)
{
	int error = -ENOKEY;

	for (size_t i = 0; i < BINDING_KEYS; i++) {
		int r;

		if (in->keys[i] == NULL) {
			continue;
		}
		r = sign_with(in, in->keys[i], out);
		if (r < 0 && r != -ENOKEY) {
			return r; /* the message's fault, or the library's */
		}
		if (r == 0) {
			error = 0;
		}
	}
	return error;
}
