/*
 * Signatures that let an endpoint know that a request is ours and fresh.
 */
#ifndef WEBHOOKD_SIGN_H
#define WEBHOOKD_SIGN_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* Hex digits of SHA-256 and a NUL. */
#define SIGN_V1_SIZE 65

/*
 * HMAC-SHA256 over "<time_s>.<body>", lower-case hex. Returns 0, or -EIO
 * when the crypto library fails.
 */
int sign_v1(struct str secret, uint64_t time_s, struct str body,
    char out[SIGN_V1_SIZE]) MUST_CHECK;

/*
 * Appends "Packetboat-Signature: t=<time_s>,v1=<hex>"; while a secret is being
 * changed a second ",v1=<hex>" by the old one. Returns 0 or -EIO.
 */
int sign_header(struct buf *out, struct str secret, struct str old_secret,
    uint64_t time_s, struct str body) MUST_CHECK;

/*
 * Appends "X-Mandrill-Signature: <base64>": HMAC-SHA1 over the URL as it was
 * registered, the name and the value (not encoded) of the one variable.
 * Returns 0 or -EIO.
 */
int sign_mandrill(struct buf *out, struct str secret, struct str url,
    struct str events) MUST_CHECK;

#endif
