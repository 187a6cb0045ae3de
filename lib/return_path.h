/*
 * The return path of each delivery, bounces+TOKEN@domain. The token names
 * message and recipient and carries a keyed MAC, so that a bounce for mail
 * we never sent is refused at RCPT without asking anyone.
 *
 * TOKEN is 32 bytes in lower-case base32 (RFC 4648 section 6, no padding):
 *
 *   0..15   message id
 *   16..17  ordinal of the recipient, little-endian
 *   18..23  accept_lsn, 48 bits, little-endian
 *   24..31  HMAC-SHA256 over bytes 0..23, first 8 bytes
 *
 * Local parts may come back in another case; decoding ignores it.
 */
#ifndef LIB_RETURN_PATH_H
#define LIB_RETURN_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum {
	RETURN_PATH_KEY_LEN = 32,
	/* strlen("bounces+") + 52: 60 bytes, within SMTP_LOCAL_MAX */
	RETURN_PATH_LOCAL_LEN = 60,
};

struct return_path_token {
	uint8_t message_id[16];
	uint16_t recipient;  /* ordinal in the envelope */
	uint64_t accept_lsn; /* below 2^48 */
};

/*
 * Write the local part, RETURN_PATH_LOCAL_LEN bytes and a NUL.
 * Returns 0; -ERANGE when accept_lsn needs more than 48 bits; -EIO when
 * the crypto library fails. out is untouched on error.
 */
int return_path_make(const uint8_t key[RETURN_PATH_KEY_LEN],
    const struct return_path_token *token,
    char out[RETURN_PATH_LOCAL_LEN + 1]) MUST_CHECK;

/*
 * Read a local part. The MAC is compared in constant time.
 * Returns 0; -EBADMSG when it is no such local part; -EKEYREJECTED when
 * the MAC does not fit this key (the caller may try the previous one);
 * -EIO when the crypto library fails. *out is untouched on error.
 */
int return_path_parse(const uint8_t key[RETURN_PATH_KEY_LEN], const char *local,
    size_t len, struct return_path_token *out) MUST_CHECK;

#endif
