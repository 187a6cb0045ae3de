#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <opendkim/dkim.h>

#include "data_scan.h"
#include "dkim.h"

#define T(lit) lit, sizeof(lit) - 1

/* Keys are made once; the record is what the verifier finds in DNS. */
struct keys {
	EVP_PKEY *key[2]; /* by enum dkim_algorithm */
	char record[2][1024];
	DKIM_LIB *lib;
};

static const struct keys *verifier_keys; /* libopendkim has no closure */

static DKIM_CBSTAT
find_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf, size_t size)
{
	u_char *selector = dkim_sig_getselector(sig);
	int is_ed = strcmp((const char *)selector, "ed") == 0;

	(void)dkim;
	(void)snprintf((char *)buf, size, "%s", verifier_keys->record[is_ed]);
	return DKIM_CBSTAT_CONTINUE;
}

static int
make_keys(void **state)
{
	struct keys *k = calloc(1, sizeof(*k));
	char base64[1000];
	unsigned char raw[32];
	unsigned char *der = NULL;
	size_t raw_len = sizeof(raw);
	int n;

	k->key[DKIM_RSA_SHA256] = EVP_RSA_gen(2048);
	k->key[DKIM_ED25519_SHA256] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	n = i2d_PUBKEY(k->key[DKIM_RSA_SHA256], &der);
	EVP_EncodeBlock((unsigned char *)base64, der, n);
	OPENSSL_free(der);
	(void)snprintf(
	    k->record[0], sizeof(k->record[0]), "v=DKIM1; k=rsa; p=%s", base64);
	EVP_PKEY_get_raw_public_key(k->key[DKIM_ED25519_SHA256], raw, &raw_len);
	EVP_EncodeBlock((unsigned char *)base64, raw, (int)raw_len);
	(void)snprintf(k->record[1], sizeof(k->record[1]),
	    "v=DKIM1; k=ed25519; p=%s", base64);
	k->lib = dkim_init(NULL, NULL);
	(void)dkim_set_key_lookup(k->lib, find_key);
	verifier_keys = k;
	*state = k;
	return 0;
}

static int
free_keys(void **state)
{
	struct keys *k = *state;

	dkim_close(k->lib);
	EVP_PKEY_free(k->key[0]);
	EVP_PKEY_free(k->key[1]);
	free(k);
	return 0;
}

/* The body hash, with the body cut into pieces of `chunk` bytes. */
static void
hash_body(const char *body, size_t len, bool unstuff, size_t chunk,
    uint8_t hash[DKIM_HASH_LEN])
{
	struct dkim_body b;

	assert_int_equal(dkim_body_init(&b, unstuff), 0);
	for (size_t i = 0; i < len; i += chunk) {
		dkim_body_update(
		    &b, body + i, len - i < chunk ? len - i : chunk);
	}
	assert_int_equal(dkim_body_final(&b, hash), 0);
	dkim_body_fini(&b);
}

static ssize_t
sign(const struct keys *k, enum dkim_algorithm alg, const char *header,
    const char *body, size_t body_len, char *out, size_t out_size)
{
	uint8_t hash[DKIM_HASH_LEN];
	struct dkim_request req = {
		.header = header,
		.header_len = strlen(header),
		.body_hash = hash,
		.domain = "example.org",
		.selector = alg == DKIM_RSA_SHA256 ? "rsa" : "ed",
		.key = k->key[alg],
		.algorithm = alg,
		.time_s = 1700000000,
	};

	hash_body(body, body_len, true, 7, hash);
	return dkim_make_signature(&req, out, out_size);
}

/* Does libopendkim find the signature good? text is not dot-stuffed. */
static bool
verifies(const struct keys *k, char *text, size_t len)
{
	DKIM_STAT st;
	DKIM *d = dkim_verify(k->lib, (const u_char *)"id", NULL, &st);
	DKIM_SIGINFO *sig;
	bool good;

	assert_non_null(d);
	st = dkim_chunk(d, (u_char *)text, len);
	assert_int_equal(st, DKIM_STAT_OK);
	assert_int_equal(dkim_chunk(d, NULL, 0), DKIM_STAT_OK);
	st = dkim_eom(d, NULL);
	sig = dkim_getsignature(d);
	good = st == DKIM_STAT_OK && sig != NULL &&
	    (dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED) != 0 &&
	    dkim_sig_getbh(sig) == DKIM_SIGBH_MATCH;
	dkim_free(d);
	return good;
}

/* Sign on the wire, unstuff, put the signature on top and verify. */
static void
assert_verifies(
    const struct keys *k, const char *header, const char *body, size_t body_len)
{
	for (int alg = 0; alg < 2; alg++) {
		char text[16384];
		struct data_stuff st = { 0 };
		ssize_t n = sign(k, (enum dkim_algorithm)alg, header, body,
		    body_len, text, sizeof(text));
		size_t len;

		assert_true(n > 0);
		len = (size_t)n;
		memcpy(text + len, header, strlen(header));
		len += strlen(header);
		memcpy(text + len, "\r\n", 2);
		len += 2;
		len += data_unstuff(&st, body, body_len, text + len);
		assert_true(verifies(k, text, len));
	}
}

static const char plain[] = "From: A <a@example.org>\r\n"
			    "To: b@example.net\r\n"
			    "Subject: hello\r\n"
			    "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
			    "Message-ID: <1@example.org>\r\n";

static void
test_dkim_signatures_verify_for_bodies_of_every_kind(void **state)
{
	(void)state;
	assert_verifies(*state, plain, T(""));
	assert_verifies(*state, plain, T("\r\n"));
	assert_verifies(*state, plain, T(" \t\r\n\r\n"));
	assert_verifies(*state, plain, T("text\r\n"));
	assert_verifies(*state, plain, T("text\r\n\r\n \r\n\t\r\n\r\n"));
	assert_verifies(*state, plain, T("\r\n\r\na\r\n\r\n\r\nb\r\n"));
	assert_verifies(*state, plain, T("  a \t b\t\r\n\tc  d \r\n"));
	assert_verifies(*state, plain, T("8-bit \xe4\xf6\xfc \xff\r\n"));
	assert_verifies(*state, plain, T("..\r\n..a\r\n...\r\n b.\r\n"));
	assert_verifies(*state, plain, T("..\r\n"));
	assert_verifies(*state, plain, T("nul \0 inside\r\n"));
}

static void
test_dkim_signatures_verify_for_headers_of_every_kind(void **state)
{
	(void)state;
	assert_verifies(*state, "From: a@example.org\r\n", T("x\r\n"));
	assert_verifies(*state,
	    "FROM :   a@example.org \t \r\n"
	    "sUbject:\r\n folded\r\n\tmore   space\r\n  \r\n"
	    "X-Other: not signed\r\n"
	    "Cc:\r\n"
	    "To: first@example.net\r\n"
	    "To: second@example.net\r\n"
	    "References: <1@x>\r\n <2@x>\r\n",
	    T("x\r\n"));
	assert_verifies(*state,
	    "Received: by x\r\n"
	    "List-Unsubscribe: <https://example.org/u>\r\n"
	    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
	    "Subject: \xc3\xa4\xff 8-bit\r\n"
	    "Feedback-ID: 1:2:3:4\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"
	    "MIME-Version: 1.0\r\n"
	    "From: a@example.org\r\n",
	    T("x\r\n"));
}

static void
test_dkim_signature_fails_when_a_field_is_added(void **state)
{
	static const char *const added[] = { "", "From: e@evil.example\r\n",
		"Subject: evil\r\n", "Reply-To: e@evil.example\r\n",
		"Content-Type: text/html\r\n", "Cc: e@evil.example\r\n" };

	for (size_t i = 0; i < array_len(added); i++) {
		char text[8192];
		ssize_t n = sign(*state, DKIM_ED25519_SHA256, plain, T("x\r\n"),
		    text, sizeof(text));
		int k;

		assert_true(n > 0);
		k = snprintf(text + n, sizeof(text) - (size_t)n,
		    "%s%s\r\nx\r\n", added[i], plain);
		assert_int_equal(
		    verifies(*state, text, (size_t)(n + k)), i == 0);
	}
}

static void
test_dkim_signature_fails_when_the_body_grows(void **state)
{
	char text[8192];
	ssize_t n = sign(
	    *state, DKIM_RSA_SHA256, plain, T("x\r\n"), text, sizeof(text));
	int k;

	assert_true(n > 0);
	k = snprintf(
	    text + n, sizeof(text) - (size_t)n, "%s\r\nx\r\ny\r\n", plain);
	assert_false(verifies(*state, text, (size_t)(n + k)));
}

static void
test_dkim_field_is_folded_within_76_columns(void **state)
{
	char text[DKIM_SIGNATURE_MAX];
	ssize_t n = sign(
	    *state, DKIM_RSA_SHA256, plain, T("x\r\n"), text, sizeof(text));
	size_t column = 0;

	assert_true(n > 0);
	assert_memory_equal(text, "DKIM-Signature: v=1; a=rsa-sha256; ", 35);
	assert_memory_equal(text + n - 2, "\r\n", 2);
	for (ssize_t i = 0; i < n; i++) {
		if (text[i] == '\r') {
			assert_int_equal(text[i + 1], '\n');
			assert_true(i + 2 == n || text[i + 2] == '\t');
			column = 0;
			i++;
			continue;
		}
		column += text[i] == '\t' ? 8 : 1;
		assert_true(column <= 76);
	}
}

static void
test_dkim_copied_fields_give_the_same_signature(void **state)
{
	const char *header = "Received: x\r\n"
			     "From: a@example.org\r\n"
			     "X-Mailer: y\r\n folded\r\n"
			     "bad line\r\n"
			     "to: b@example.net\r\n\tfolded\r\n"
			     "To: c@example.net\r\n";
	char all[DKIM_SIGNATURE_MAX], some[DKIM_SIGNATURE_MAX], copy[512];
	size_t len = strlen(header);
	ssize_t n, k;

	k = dkim_copy_signed(header, len, copy, sizeof(copy) - 1);
	assert_true(k > 0 && (size_t)k < len);
	assert_int_equal(dkim_copy_signed(header, len, copy, (size_t)k), k);
	assert_int_equal(
	    dkim_copy_signed(header, len, copy, (size_t)k - 1), -ENOSPC);
	assert_int_equal(dkim_copy_signed(header, len, copy, (size_t)k), k);
	copy[k] = '\0';
	assert_null(strstr(copy, "X-Mailer"));
	for (int alg = 0; alg < 2; alg++) {
		n = sign(*state, (enum dkim_algorithm)alg, header, T("x"), all,
		    sizeof(all));
		assert_true(n > 0);
		k = sign(*state, (enum dkim_algorithm)alg, copy, T("x"), some,
		    sizeof(some));
		assert_int_equal(n, k);
		assert_memory_equal(all, some, (size_t)n);
	}
}

static void
test_dkim_refuses_requests_that_cannot_be_signed(void **state)
{
	const struct keys *k = *state;
	uint8_t hash[DKIM_HASH_LEN] = { 0 };
	char out[DKIM_SIGNATURE_MAX + 1];
	const struct dkim_request good = {
		.header = plain,
		.header_len = sizeof(plain) - 1,
		.body_hash = hash,
		.domain = "example.org",
		.selector = "2024",
		.key = k->key[DKIM_ED25519_SHA256],
		.algorithm = DKIM_ED25519_SHA256,
		.time_s = 5,
		.expires_s = 6,
	};
	struct dkim_request bad = good;
	ssize_t n = dkim_make_signature(&good, out, sizeof(out) - 1);

	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, " t=5;"));
	assert_non_null(strstr(out, " x=6;"));
	assert_int_equal(dkim_make_signature(&good, out, (size_t)n), n);
	for (size_t size = 0; size < (size_t)n; size += 9) {
		assert_int_equal(
		    dkim_make_signature(&good, out, size), -ENOSPC);
	}
	bad.header_len = 0;
	assert_int_equal(dkim_make_signature(&bad, out, 6000), -ENODATA);
	bad = good;
	bad.domain = "a;b=c";
	assert_int_equal(dkim_make_signature(&bad, out, 6000), -EINVAL);
	bad = good;
	bad.selector = "";
	assert_int_equal(dkim_make_signature(&bad, out, 6000), -EINVAL);
	bad = good;
	bad.algorithm = DKIM_RSA_SHA256;
	assert_int_equal(dkim_make_signature(&bad, out, 6000), -EINVAL);
	bad = good;
	bad.expires_s = 5;
	assert_int_equal(dkim_make_signature(&bad, out, 6000), -EINVAL);
}

static void
test_dkim_refuses_more_fields_than_the_maximum(void **state)
{
	char header[4096] = "From: a@example.org\r\n";
	char out[DKIM_SIGNATURE_MAX];

	for (int i = 1; i < DKIM_FIELDS_MAX; i++) {
		strcat(header, "List-Unsubscribe-Post: x\r\n");
	}
	assert_true(sign(*state, DKIM_RSA_SHA256, header, T("x"), out,
			sizeof(out)) > 0);
	strcat(header, "To: x\r\n");
	assert_int_equal(
	    sign(*state, DKIM_RSA_SHA256, header, T("x"), out, sizeof(out)),
	    -E2BIG);
}

static void
test_dkim_body_of_nothing_is_the_hash_of_nothing(void **state)
{
	uint8_t hash[DKIM_HASH_LEN];
	char base64[48];

	(void)state;
	hash_body(T("\r\n \r\n"), false, 1, hash);
	EVP_EncodeBlock((unsigned char *)base64, hash, DKIM_HASH_LEN);
	/* RFC 6376 section 3.4.4 */
	assert_string_equal(
	    base64, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

static void
test_dkim_body_without_a_line_end_gets_one(void **state)
{
	uint8_t with[DKIM_HASH_LEN], without[DKIM_HASH_LEN];

	(void)state;
	/* RFC 6376 section 3.4.4; libopendkim does not do it. */
	hash_body(T("text\r\n"), false, 9, with);
	hash_body(T("text \t"), false, 9, without);
	assert_memory_equal(with, without, DKIM_HASH_LEN);
}

/* Canonical text by rereading it for each rule: slow, obviously right. */
static size_t
canonicalise(const char *p, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool eol = i + 1 < len && p[i] == '\r' && p[i + 1] == '\n';
		bool space = p[i] == ' ' || p[i] == '\t';
		bool bol =
		    i == 0 || (i > 1 && p[i - 1] == '\n' && p[i - 2] == '\r');

		if (bol && p[i] == '.') {
			continue;
		}
		if (eol && n > 0 && out[n - 1] == ' ') {
			n--;
		}
		if (space && n > 0 && out[n - 1] == ' ') {
			continue;
		}
		out[n++] = space ? ' ' : p[i];
	}
	if (n > 0 && out[n - 1] == ' ') {
		n--;
	}
	while (n > 1 && out[n - 1] == '\n' && out[n - 2] == '\r') {
		n -= 2;
	}
	if (n > 0) {
		memcpy(out + n, "\r\n", 2);
		n += 2;
	}
	return n;
}

static void
test_dkim_body_agrees_with_a_naive_one_on_random_text(void **state)
{
	static const char letters[] = "ab \t\r\n.\0 xyzxyzw";
	char text[600], want[610];
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		uint8_t a[DKIM_HASH_LEN], b[DKIM_HASH_LEN];
		size_t len = 0;
		size_t total;

		seed = seed * 1664525 + 1013904223;
		total = (seed >> 8) % (sizeof(text) - 1);
		while (len < total) {
			seed = seed * 1664525 + 1013904223;
			if (seed >> 28 == 0) {
				text[len++] = '\r';
				text[len++] = '\n';
			} else if ((seed >> 27 & 7) > 1) {
				text[len++] = 'x';
			} else {
				text[len++] = letters[(seed >> 12) % 16];
			}
		}
		hash_body(text, len, true, 1 + (seed >> 10) % 300, a);
		len = canonicalise(text, len, want);
		EVP_Digest(want, len, b, NULL, EVP_sha256(), NULL);
		assert_memory_equal(a, b, DKIM_HASH_LEN);
	}
}

static void
test_dkim_body_can_be_reset_and_used_again(void **state)
{
	uint8_t want[DKIM_HASH_LEN], got[DKIM_HASH_LEN];
	struct dkim_body b;

	(void)state;
	hash_body(T("text\r\n"), false, 100, want);
	assert_int_equal(dkim_body_init(&b, true), 0);
	dkim_body_update(&b, T("left over \r\n\r"));
	for (int i = 0; i < 3; i++) {
		dkim_body_reset(&b, false);
		dkim_body_update(&b, T("text\r\n"));
		assert_int_equal(dkim_body_final(&b, got), 0);
		assert_memory_equal(got, want, DKIM_HASH_LEN);
	}
	dkim_body_fini(&b);
	dkim_body_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_dkim_signatures_verify_for_bodies_of_every_kind),
		cmocka_unit_test(
		    test_dkim_signatures_verify_for_headers_of_every_kind),
		cmocka_unit_test(
		    test_dkim_signature_fails_when_a_field_is_added),
		cmocka_unit_test(test_dkim_signature_fails_when_the_body_grows),
		cmocka_unit_test(test_dkim_field_is_folded_within_76_columns),
		cmocka_unit_test(
		    test_dkim_copied_fields_give_the_same_signature),
		cmocka_unit_test(
		    test_dkim_refuses_requests_that_cannot_be_signed),
		cmocka_unit_test(
		    test_dkim_refuses_more_fields_than_the_maximum),
		cmocka_unit_test(
		    test_dkim_body_of_nothing_is_the_hash_of_nothing),
		cmocka_unit_test(test_dkim_body_without_a_line_end_gets_one),
		cmocka_unit_test(
		    test_dkim_body_agrees_with_a_naive_one_on_random_text),
		cmocka_unit_test(test_dkim_body_can_be_reset_and_used_again),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
