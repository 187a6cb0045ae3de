#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "return_path.h"
#include "smtp_path.h"

static const uint8_t key[RETURN_PATH_KEY_LEN] = "the key of these tests";

static const struct return_path_token token = {
	.message_id = "0123456789abcde",
	.recipient = 0xfedc,
	.accept_lsn = 0x123456789abc,
};

static void
test_return_path_round_trips(void **state)
{
	struct return_path_token back;
	char local[RETURN_PATH_LOCAL_LEN + 1];

	(void)state;
	assert_int_equal(return_path_make(key, &token, local), 0);
	assert_int_equal(strlen(local), RETURN_PATH_LOCAL_LEN);
	assert_int_equal(return_path_parse(key, local, 60, &back), 0);
	assert_memory_equal(back.message_id, token.message_id, 16);
	assert_int_equal(back.recipient, token.recipient);
	assert_int_equal(back.accept_lsn, token.accept_lsn);
}

static void
test_return_path_is_these_bytes(void **state)
{
	char local[RETURN_PATH_LOCAL_LEN + 1];

	(void)state;
	assert_int_equal(return_path_make(key, &token, local), 0);
	/* Addresses live for days on foreign machines: never change it. */
	assert_string_equal(local,
	    "bounces+gaytemzugu3doobzmfrggzdfadop5pe2pbldietsrjo5h6riftbq");
}

static void
test_return_path_fits_a_local_part(void **state)
{
	char text[2 * RETURN_PATH_LOCAL_LEN];
	struct smtp_path path;

	(void)state;
	assert_int_equal(return_path_make(key, &token, text), 0);
	strcat(text, "@b.example");
	assert_int_equal(smtp_mailbox_parse(text, strlen(text), 0, &path), 0);
}

static void
test_return_path_does_not_care_about_case(void **state)
{
	struct return_path_token back;
	char local[RETURN_PATH_LOCAL_LEN + 1];

	(void)state;
	assert_int_equal(return_path_make(key, &token, local), 0);
	for (size_t i = 0; i < RETURN_PATH_LOCAL_LEN; i++) {
		local[i] = (char)toupper((unsigned char)local[i]);
	}
	assert_int_equal(return_path_parse(key, local, 60, &back), 0);
	assert_int_equal(back.accept_lsn, token.accept_lsn);
}

static void
test_return_path_refuses_other_keys_and_changed_bytes(void **state)
{
	struct return_path_token back = { .recipient = 77 };
	uint8_t other[RETURN_PATH_KEY_LEN] = { 1 };
	char local[RETURN_PATH_LOCAL_LEN + 1];

	(void)state;
	assert_int_equal(return_path_make(key, &token, local), 0);
	assert_int_equal(
	    return_path_parse(other, local, 60, &back), -EKEYREJECTED);
	for (size_t i = 8; i < RETURN_PATH_LOCAL_LEN - 1; i++) {
		char c = local[i];

		local[i] = c == 'a' ? 'b' : 'a';
		assert_int_equal(
		    return_path_parse(key, local, 60, &back), -EKEYREJECTED);
		local[i] = c;
	}
	assert_int_equal(back.recipient, 77);
}

static void
test_return_path_refuses_what_is_no_token(void **state)
{
	struct return_path_token back;
	char local[RETURN_PATH_LOCAL_LEN + 2];

	(void)state;
	assert_int_equal(return_path_make(key, &token, local), 0);
	assert_int_equal(return_path_parse(key, local, 59, &back), -EBADMSG);
	assert_int_equal(return_path_parse(key, local, 61, &back), -EBADMSG);
	assert_int_equal(return_path_parse(key, local, 0, &back), -EBADMSG);
	local[20] = '1';
	assert_int_equal(return_path_parse(key, local, 60, &back), -EBADMSG);
	assert_int_equal(return_path_make(key, &token, local), 0);
	local[7] = '-';
	assert_int_equal(return_path_parse(key, local, 60, &back), -EBADMSG);
	assert_int_equal(return_path_make(key, &token, local), 0);
	/* the last digit carries one bit only */
	local[59] = local[59] == 'a' ? 'b' : 'r';
	assert_int_equal(return_path_parse(key, local, 60, &back), -EBADMSG);
}

static void
test_return_path_refuses_an_lsn_above_48_bits(void **state)
{
	struct return_path_token big = token;
	char local[RETURN_PATH_LOCAL_LEN + 1];

	(void)state;
	big.accept_lsn = (uint64_t)1 << 48;
	assert_int_equal(return_path_make(key, &big, local), -ERANGE);
	big.accept_lsn--;
	assert_int_equal(return_path_make(key, &big, local), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_return_path_round_trips),
		cmocka_unit_test(test_return_path_is_these_bytes),
		cmocka_unit_test(test_return_path_fits_a_local_part),
		cmocka_unit_test(test_return_path_does_not_care_about_case),
		cmocka_unit_test(
		    test_return_path_refuses_other_keys_and_changed_bytes),
		cmocka_unit_test(test_return_path_refuses_what_is_no_token),
		cmocka_unit_test(test_return_path_refuses_an_lsn_above_48_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
