#include "return_path.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const char prefix[] = "bounces+";

enum {
	PREFIX_LEN = sizeof(prefix) - 1,
	RECIPIENT_AT = 16,
	LSN_AT = 18,
	MAC_AT = 24,
	MAC_LEN = 8,
	TOKEN_LEN = MAC_AT + MAC_LEN,
	BASE32_LEN = RETURN_PATH_LOCAL_LEN - PREFIX_LEN,
	LSN_BITS = 48,
};

_Static_assert(BASE32_LEN == (8 * TOKEN_LEN + 4) / 5, "base32 of a token");

static void
base32_encode(const uint8_t in[TOKEN_LEN], char out[BASE32_LEN])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < TOKEN_LEN; i++) {
		bits = (bits << 8 | in[i]) & 0xfff;
		have += 8;
		while (have >= 5) {
			have -= 5;
			out[n++] = digits[bits >> have & 0x1f];
		}
	}
	out[n] = digits[bits << (5 - have) & 0x1f];
}

static int
base32_digit(char c)
{
	if (c >= 'a' && c <= 'z') {
		return c - 'a';
	}
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

static int
base32_decode(const char in[BASE32_LEN], uint8_t out[TOKEN_LEN])
{
	unsigned bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < BASE32_LEN; i++) {
		int digit = base32_digit(in[i]);

		if (digit < 0) {
			return -EBADMSG;
		}
		bits = (bits << 5 | (unsigned)digit) & 0xfff;
		have += 5;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	/* One text for one token: what is left over is zero. */
	return (bits & ((1u << have) - 1)) == 0 ? 0 : -EBADMSG;
}

static int
make_mac(const uint8_t key[RETURN_PATH_KEY_LEN], const uint8_t *token,
    uint8_t mac[MAC_LEN])
{
	uint8_t full[EVP_MAX_MD_SIZE];

	if (HMAC(EVP_sha256(), key, RETURN_PATH_KEY_LEN, token, MAC_AT, full,
		NULL) == NULL) {
		return -EIO;
	}
	memcpy(mac, full, MAC_LEN);
	return 0;
}

int
return_path_make(const uint8_t key[RETURN_PATH_KEY_LEN],
    const struct return_path_token *token, char out[RETURN_PATH_LOCAL_LEN + 1])
{
	uint8_t raw[TOKEN_LEN];
	int r;

	if (token->accept_lsn >> LSN_BITS != 0) {
		return -ERANGE;
	}
	memcpy(raw, token->message_id, sizeof(token->message_id));
	raw[RECIPIENT_AT] = (uint8_t)token->recipient;
	raw[RECIPIENT_AT + 1] = (uint8_t)(token->recipient >> 8);
	for (int i = 0; i < LSN_BITS / 8; i++) {
		raw[LSN_AT + i] = (uint8_t)(token->accept_lsn >> (8 * i));
	}
	r = make_mac(key, raw, raw + MAC_AT);
	if (r < 0) {
		return r;
	}
	memcpy(out, prefix, PREFIX_LEN);
	base32_encode(raw, out + PREFIX_LEN);
	out[RETURN_PATH_LOCAL_LEN] = '\0';
	return 0;
}

int
return_path_parse(const uint8_t key[RETURN_PATH_KEY_LEN], const char *local,
    size_t len, struct return_path_token *out)
{
	struct return_path_token token = { 0 };
	uint8_t raw[TOKEN_LEN];
	uint8_t mac[MAC_LEN];
	int r;

	if (len != RETURN_PATH_LOCAL_LEN ||
	    strncasecmp(local, prefix, PREFIX_LEN) != 0 ||
	    base32_decode(local + PREFIX_LEN, raw) < 0) {
		return -EBADMSG;
	}
	r = make_mac(key, raw, mac);
	if (r < 0) {
		return r;
	}
	if (CRYPTO_memcmp(mac, raw + MAC_AT, MAC_LEN) != 0) {
		return -EKEYREJECTED;
	}
	memcpy(token.message_id, raw, sizeof(token.message_id));
	token.recipient =
	    (uint16_t)(raw[RECIPIENT_AT] | raw[RECIPIENT_AT + 1] << 8);
	for (int i = 0; i < LSN_BITS / 8; i++) {
		token.accept_lsn |= (uint64_t)raw[LSN_AT + i] << (8 * i);
	}
	*out = token;
	return 0;
}
