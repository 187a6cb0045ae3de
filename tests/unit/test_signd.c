#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "keyfile.h"
#include "keyring.h"
#include "odkim.h"
#include "sign.h"

#define HEADER                                                                 \
	"From: Shop <news@example.com>\r\nTo: a@example.org\r\n"               \
	"Subject: Hello\r\n\tthere\r\n"
#define BODY "One  line \r\n\r\n.dots\r\n\r\n\r\n"

static const struct str domain = { "example.com", 11 };

struct fixture {
	char path[64];
	int dir;
	struct keyring *ring;
	uint8_t hash[DKIM_HASH_LEN];
	int message; /* memfd of header and body */
};

static void
hash_body(const char *text, uint8_t *hash)
{
	struct dkim_body b = { 0 };

	assert_int_equal(dkim_body_init(&b, false), 0);
	dkim_body_update(&b, text, strlen(text));
	assert_int_equal(dkim_body_final(&b, hash), 0);
	dkim_body_fini(&b);
}

static void
make_key(int dir, const char *selector, enum dkim_algorithm algorithm)
{
	EVP_PKEY *key = NULL;

	assert_int_equal(
	    keyfile_make(dir, "example.com", selector, algorithm, &key), 0);
	EVP_PKEY_free(key);
}

static int
setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	const char text[] = HEADER "\r\n" BODY;

	snprintf(f->path, sizeof(f->path), "/tmp/test_signd.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_true(f->dir >= 0);
	make_key(f->dir, "r1", DKIM_RSA_SHA256);
	make_key(f->dir, "e1", DKIM_ED25519_SHA256);
	f->ring = keyring_new(f->dir, true);
	keyring_bind(f->ring, 7, domain, STR("r1"), STR("e1"));
	hash_body(BODY, f->hash);
	f->message = memfd_create("message", 0);
	assert_int_equal(
	    write(f->message, text, sizeof(text) - 1), sizeof(text) - 1);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	keyring_free(&f->ring);
	assert_int_equal(keyfile_delete(f->dir, "example.com", "r1"), 0);
	assert_int_equal(keyfile_delete(f->dir, "example.com", "e1"), 0);
	close(f->dir);
	close(f->message);
	assert_int_equal(rmdir(f->path), 0); /* so nothing else was left */
	free(f);
	return 0;
}

static struct sign_input
input(const struct fixture *f)
{
	struct binding *b = NULL;
	struct sign_input in = {
		.ring = f->ring,
		.body_hash = f->hash,
		.header = STR(HEADER),
		.fd = -1,
		.time_s = 1700000000,
	};

	assert_int_equal(keyring_find(f->ring, 7, domain, &b), 0);
	memcpy(in.keys, b->keys, sizeof(in.keys));
	return in;
}

/* Cuts the first field, with its folded lines, off *fields. */
static struct str
take_field(struct str *fields)
{
	struct str f = { fields->p, 0 };

	do {
		const char *end =
		    memmem(f.p + f.len, fields->len - f.len, "\r\n", 2);

		assert_non_null(end);
		f.len = (size_t)(end - f.p) + 2;
	} while (
	    f.len < fields->len && (f.p[f.len] == '\t' || f.p[f.len] == ' '));
	fields->p += f.len;
	fields->len -= f.len;
	return f;
}

static void
test_signd_both_signatures_verify_with_libopendkim(void **state)
{
	struct fixture *f = *state;
	struct sign_input in = input(f);
	struct sign_output out = { 0 };
	const struct odkim_message m = { .text = STR(HEADER "\r\n" BODY),
		.fd = -1 };
	struct str left;
	char why[80];

	assert_int_equal(sign_message(&in, &out), 0);
	left = buf_str(&out.fields);
	for (size_t i = 0; i < BINDING_KEYS; i++) {
		struct str field = take_field(&left);

		assert_int_equal(
		    odkim_verify(field, &m, in.keys[i]->record, why), 0);
	}
	assert_int_equal(left.len, 0);
	buf_fini(&out.fields);
}

static void
test_signd_altered_message_does_not_verify(void **state)
{
	struct fixture *f = *state;
	struct sign_input in = input(f);
	struct sign_output out = { 0 };
	struct odkim_message m = { .text = STR(HEADER "\r\n" BODY "more\r\n"),
		.fd = -1 };
	struct str left;
	struct str field;
	char why[80];

	assert_int_equal(sign_message(&in, &out), 0);
	left = buf_str(&out.fields);
	field = take_field(&left);
	assert_int_equal(
	    odkim_verify(field, &m, in.keys[0]->record, why), -EKEYREJECTED);
	m.text = STR("From: <x@example.com>\r\n" HEADER "\r\n" BODY);
	assert_int_equal(
	    odkim_verify(field, &m, in.keys[0]->record, why), -EKEYREJECTED);
	buf_fini(&out.fields);
}

static void
test_signd_sample_is_verified_from_its_file(void **state)
{
	struct fixture *f = *state;
	struct sign_input in = input(f);
	struct sign_output out = { 0 };

	in.fd = f->message;
	assert_int_equal(sign_message(&in, &out), 0);
	assert_false(out.sample_failed);
	buf_fini(&out.fields);

	out = (struct sign_output){ 0 };
	hash_body("another body\r\n", f->hash);
	assert_int_equal(sign_message(&in, &out), 0);
	assert_true(out.sample_failed);
	assert_string_equal(out.why, "body hash mismatch");
	buf_fini(&out.fields);
}

static void
test_signd_libopendkim_signs_what_it_verifies(void **state)
{
	struct fixture *f = *state;
	struct sign_input in = input(f);
	struct sign_output out = { 0 };

	in.use_opendkim = true;
	assert_int_equal(sign_message(&in, &out), -EINVAL);
	buf_fini(&out.fields);

	out = (struct sign_output){ 0 };
	in.fd = f->message;
	assert_int_equal(sign_message(&in, &out), 0);
	assert_false(out.sample_failed);
	assert_non_null(memmem(out.fields.p, out.fields.len, "s=r1", 4));
	buf_fini(&out.fields);
}

static void
test_signd_unknown_domain_is_refused(void **state)
{
	struct fixture *f = *state;
	struct binding *b = NULL;

	assert_int_equal(
	    keyring_find(f->ring, 7, STR("example.net"), &b), -ENOENT);
	keyring_forget(f->ring, 7, domain);
	assert_int_equal(keyring_find(f->ring, 7, domain, &b), -ENOENT);
	assert_null(b);
}

static void
test_signd_domain_of_another_account_is_refused(void **state)
{
	struct fixture *f = *state;
	struct binding *b = NULL;

	assert_int_equal(keyring_find(f->ring, 8, domain, &b), -EACCES);
	keyring_bind(f->ring, 8, domain, STR("r8"), STR(""));
	assert_int_equal(keyring_find(f->ring, 8, domain, &b), 0);
	assert_null(b->keys[1]);
	assert_int_equal(keyring_find(f->ring, 7, domain, &b), 0);
	assert_string_equal(b->keys[0]->selector, "r1");
	keyring_bind(f->ring, 8, domain, STR(""), STR(""));
	assert_int_equal(keyring_find(f->ring, 8, domain, &b), -EACCES);
}

static void
test_signd_missing_key_is_left_out_while_another_signs(void **state)
{
	struct fixture *f = *state;
	struct sign_input in;
	struct sign_output out = { 0 };

	keyring_bind(f->ring, 7, domain, STR("gone"), STR("e1"));
	in = input(f);
	assert_int_equal(sign_message(&in, &out), 0);
	assert_int_equal(out.bad_key_error, -ENOENT);
	assert_non_null(memmem(out.fields.p, out.fields.len, "s=e1", 4));
	assert_null(memmem(out.fields.p, out.fields.len, "gone", 4));
	buf_fini(&out.fields);

	keyring_bind(f->ring, 7, domain, STR("gone"), STR(""));
	out = (struct sign_output){ 0 };
	in = input(f);
	assert_int_equal(sign_message(&in, &out), -ENOKEY);
	buf_fini(&out.fields);
}

static void
test_keyfile_existing_key_is_never_replaced(void **state)
{
	struct fixture *f = *state;
	char first[KEYFILE_RECORD_MAX];
	char second[KEYFILE_RECORD_MAX];
	EVP_PKEY *key = NULL;

	assert_int_equal(
	    keyfile_load(f->dir, "example.com", "r1", &key, NULL), 0);
	assert_int_equal(keyfile_record(key, first), 0);
	EVP_PKEY_free(key);
	assert_int_equal(
	    keyfile_make(f->dir, "example.com", "r1", DKIM_RSA_SHA256, &key),
	    0);
	assert_int_equal(keyfile_record(key, second), 0);
	EVP_PKEY_free(key);
	assert_string_equal(first, second);
	assert_int_equal(keyfile_make(f->dir, "example.com", "r1",
			     DKIM_ED25519_SHA256, &key),
	    -EINVAL);
}

static void
test_keyfile_only_its_owner_may_read_it(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(fstatat(f->dir, "example.com/r1.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
test_keyfile_names_cannot_leave_the_directory(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../x", "a.b",
		"a b", "a_b", "-a" };
	struct fixture *f = *state;
	EVP_PKEY *key = NULL;

	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(keyfile_make(f->dir, "example.com", bad[i],
				     DKIM_ED25519_SHA256, &key),
		    -EINVAL);
	}
	assert_int_equal(keyfile_make(f->dir, "../example.com", "a",
			     DKIM_ED25519_SHA256, &key),
	    -EINVAL);
	assert_int_equal(
	    keyfile_make(f->dir, "", "a", DKIM_ED25519_SHA256, &key), -EINVAL);
}

static void
test_keyfile_damaged_key_is_reported(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *key = NULL;
	int fd = openat(f->dir, "example.com/e1.key", O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, "garbage\n", 8), 8);
	close(fd);
	assert_int_equal(
	    keyfile_load(f->dir, "example.com", "e1", &key, NULL), -EBADMSG);
	assert_int_equal(keyfile_make(f->dir, "example.com", "e1",
			     DKIM_ED25519_SHA256, &key),
	    -EBADMSG);
}

static int
start(void **state)
{
	(void)state;
	return odkim_init();
}

static int
end(void **state)
{
	(void)state;
	odkim_fini();
	return 0;
}

#define WITH_KEYS(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_KEYS(test_signd_both_signatures_verify_with_libopendkim),
		WITH_KEYS(test_signd_altered_message_does_not_verify),
		WITH_KEYS(test_signd_sample_is_verified_from_its_file),
		WITH_KEYS(test_signd_libopendkim_signs_what_it_verifies),
		WITH_KEYS(test_signd_unknown_domain_is_refused),
		WITH_KEYS(test_signd_domain_of_another_account_is_refused),
		WITH_KEYS(
		    test_signd_missing_key_is_left_out_while_another_signs),
		WITH_KEYS(test_keyfile_existing_key_is_never_replaced),
		WITH_KEYS(test_keyfile_only_its_owner_may_read_it),
		WITH_KEYS(test_keyfile_names_cannot_leave_the_directory),
		WITH_KEYS(test_keyfile_damaged_key_is_reported),
	};

	return cmocka_run_group_tests(tests, start, end);
}
