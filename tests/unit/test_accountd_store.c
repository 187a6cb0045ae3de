#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "loop.h"
#include "model.h"
#include "store.h"
#include "store_fixture.h"
#include "suppressions.h"

static void
put(struct store *s, const char *key, const char *value)
{
	struct store_txn *t = NULL;

	assert_int_equal(store_begin(s, &t), 0);
	assert_int_equal(
	    store_put(t, STORE_DOMAIN, str_of(key), str_of(value)), 0);
	assert_int_equal(store_commit(&t), 0);
}

static bool
has(struct store *s, const char *key, const char *value)
{
	struct buf b = { 0 };
	int r = store_get(s, NULL, STORE_DOMAIN, str_of(key), &b);
	bool same = r == 0 && str_is(buf_str(&b), value);

	buf_fini(&b);
	return same;
}

static void
test_store_keeps_what_was_committed(void **state)
{
	struct fixture *f = *state;
	struct store_txn *t = NULL;

	put(f->store, "a", "1");
	put(f->store, "a", "2");
	put(f->store, "", "empty key");
	assert_int_equal(store_begin(f->store, &t), 0);
	assert_int_equal(store_put(t, STORE_DOMAIN, STR("b"), STR("3")), 0);
	assert_int_equal(store_del(t, STORE_DOMAIN, STR("a")), 0);
	assert_int_equal(store_del(t, STORE_DOMAIN, STR("not there")), 0);
	store_abort(&t);
	assert_true(has(f->store, "a", "2"));
	store_close(&f->store);
	f->store = fixture_open(f->path, 0);
	assert_true(has(f->store, "a", "2"));
	assert_true(has(f->store, "", "empty key"));
	assert_false(has(f->store, "b", "3"));
}

static int
join(void *arg, struct str key, struct str value)
{
	(void)value;
	buf_add(arg, key.p, key.len);
	buf_u8(arg, ' ');
	return str_is(key, "stop");
}

static void
test_store_each_walks_a_prefix_in_order(void **state)
{
	struct fixture *f = *state;
	struct buf seen = { 0 };

	put(f->store, "b2", "");
	put(f->store, "a", "");
	put(f->store, "b1", "");
	put(f->store, "c", "");
	assert_int_equal(
	    store_each(f->store, STORE_DOMAIN, STR("b"), join, &seen), 0);
	assert_true(str_is(buf_str(&seen), "b1 b2 "));
	buf_clear(&seen, 64);
	assert_int_equal(
	    store_each(f->store, STORE_DOMAIN, STR(""), join, &seen), 0);
	assert_true(str_is(buf_str(&seen), "a b1 b2 c "));
	assert_int_equal(
	    store_each(f->store, STORE_HOOK, STR(""), join, &seen), 0);
	buf_fini(&seen);
}

static void
stop_loop(void *arg, int status)
{
	*(int *)arg = status;
	loop_stop();
}

static int
sync_now(struct store *s)
{
	int status = 1;

	store_sync(s, stop_loop, &status);
	loop_run();
	return status;
}

static void
test_store_sync_calls_back_in_order_unless_forgotten(void **state)
{
	struct fixture *f = *state;
	int forgotten = 1;

	put(f->store, "a", "1");
	store_sync(f->store, stop_loop, &forgotten);
	store_sync_forget(f->store, &forgotten);
	assert_int_equal(sync_now(f->store), 0);
	assert_int_equal(forgotten, 1);
}

/* ---- crashes ---------------------------------------------------------------
 */

/* Writes numbers until killed; a number goes to out once it is durable. */
struct writer {
	struct store *store;
	unsigned n;
	int out;
};

static void
write_next(void *arg, int status)
{
	struct writer *w = arg;
	char key[32];

	if (status != 0 || write(w->out, &w->n, sizeof(w->n)) < 0) {
		_exit(1);
	}
	snprintf(key, sizeof(key), "key %u", ++w->n);
	put(w->store, key, key);
	store_sync(w->store, write_next, w);
}

static void
write_until_killed(const char *path, unsigned last, int out)
{
	struct writer w = { .n = last, .out = out };

	loop_fini();
	loop_init();
	w.store = fixture_open(path, 0);
	write_next(&w, 0); /* the last one is durable already */
	loop_run();
	_exit(1);
}

/* Runs a writer and kills it after some acknowledgements; returns the last
 * number that was acknowledged. */
static unsigned
crash_once(const char *path, unsigned last, unsigned acks)
{
	const unsigned enough = last + acks;
	unsigned n;
	int fds[2];
	int status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		write_until_killed(path, last, fds[1]);
	}
	close(fds[1]);
	while (last < enough && read(fds[0], &n, sizeof(n)) == sizeof(n)) {
		last = n;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	/* what was acknowledged before the kill counts too */
	while (read(fds[0], &n, sizeof(n)) == sizeof(n)) {
		last = n;
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void
test_store_acknowledged_changes_survive_kills(void **state)
{
	struct fixture *f = *state;
	unsigned last = 0;

	store_close(&f->store);
	for (unsigned round = 0; round < 12; round++) {
		last = crash_once(f->path, last, 1 + round * 7 % 20);
	}
	f->store = fixture_open(f->path, 0);
	assert_true(last >= 12);
	for (unsigned i = 1; i <= last; i++) {
		char key[32];

		snprintf(key, sizeof(key), "key %u", i);
		assert_true(has(f->store, key, key));
	}
}

/* ---- records ---------------------------------------------------------------
 */

static void
test_schema_older_records_read_with_zeros(void **state)
{
	struct schema_key_use use = { 1, 2, 3 };
	struct schema_key_use got;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(schema_encode(&b, SCHEMA_key_use, &use), 0);
	b.len -= sizeof(use.count);
	assert_int_equal(schema_decode(SCHEMA_key_use, buf_str(&b), &got), 0);
	assert_int_equal(got.last_us, 2);
	assert_int_equal(got.count, 0);
	b.p[0]++;
	assert_int_equal(
	    schema_decode(SCHEMA_key_use, buf_str(&b), &got), -EPROTO);
	b.p[0]--;
	b.len -= 1;
	assert_int_equal(
	    schema_decode(SCHEMA_key_use, buf_str(&b), &got), -EBADMSG);
	b.len = 0;
	assert_int_equal(
	    schema_decode(SCHEMA_key_use, buf_str(&b), &got), -EBADMSG);
	buf_fini(&b);
}

static struct model *
load_model(struct store *s)
{
	struct model *m = NULL;
	struct buf error = { 0 };

	assert_int_equal(model_load(s, &m, &error), 0);
	return m;
}

static void
add_account(struct model *m, uint32_t parent, const char *name, uint32_t *id)
{
	struct change *c = change_begin(m);
	struct schema_account a = { .parent = parent, .name = str_of(name) };

	*id = a.id = change_new_id(c);
	assert_int_equal(change_put(c, SCHEMA_account, &a), 0);
	assert_int_equal(change_commit(&c), 0);
}

static void
test_model_finds_accounts_by_name_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct model *m = load_model(f->store);
	const struct account *a;
	uint32_t shop;
	uint32_t eu;
	uint32_t other;

	add_account(m, 0, "shop", &shop);
	add_account(m, shop, "eu", &eu);
	model_free(&m);
	m = load_model(f->store);
	a = model_account_named(m, STR("shop/eu"));
	assert_non_null(a);
	assert_int_equal(a->r.id, eu);
	assert_null(model_account_named(m, STR("eu")));
	add_account(m, 0, "other", &other);
	assert_true(other > eu);
	model_free(&m);
}

static void
test_model_ids_are_never_used_twice(void **state)
{
	struct fixture *f = *state;
	struct model *m = load_model(f->store);
	struct change *c = change_begin(m);
	uint32_t first;
	uint32_t second;

	add_account(m, 0, "a", &first);
	change_del(c, SCHEMA_account, &model_account(m, first)->r);
	assert_int_equal(change_commit(&c), 0);
	assert_null(model_account_named(m, STR("a")));
	model_free(&m);
	m = load_model(f->store);
	add_account(m, 0, "a", &second);
	assert_true(second > first);
	model_free(&m);
}

static void
test_model_aborted_change_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct model *m = load_model(f->store);
	struct change *c = change_begin(m);
	struct schema_account a = { .id = 5, .name = STR("a") };

	assert_int_equal(change_put(c, SCHEMA_account, &a), 0);
	a.notes = (struct str){ f->path, 5000 };
	assert_int_equal(change_put(c, SCHEMA_account, &a), -EMSGSIZE);
	change_abort(&c);
	assert_null(model_account(m, 5));
	model_free(&m);
}

static unsigned
sum_keys_of(const struct model *m, uint32_t account)
{
	const struct key *k = NULL;
	unsigned sum = 0;

	while ((k = model_key_of(m, account, k)) != NULL) {
		assert_int_equal(k->r.account, account);
		sum += k->r.id;
	}
	return sum;
}

static void
test_model_knows_the_keys_of_each_account(void **state)
{
	struct fixture *f = *state;
	struct model *m = load_model(f->store);
	struct change *c = change_begin(m);
	struct schema_key key = { .account = 1 };

	for (key.id = 10; key.id < 14; key.id++) {
		key.account = key.id == 13 ? 2 : 1;
		assert_int_equal(change_put(c, SCHEMA_key, &key), 0);
	}
	assert_int_equal(change_commit(&c), 0);
	assert_int_equal(sum_keys_of(m, 1), 10 + 11 + 12);
	assert_int_equal(sum_keys_of(m, 2), 13);
	assert_int_equal(sum_keys_of(m, 3), 0);
	/* One is replaced, one is removed, an account's last one. */
	c = change_begin(m);
	key = (struct schema_key){ .id = 11, .account = 1, .revoked_us = 1 };
	assert_int_equal(change_put(c, SCHEMA_key, &key), 0);
	change_del(c, SCHEMA_key, &model_key(m, 12)->r);
	change_del(c, SCHEMA_key, &model_key(m, 13)->r);
	assert_int_equal(change_commit(&c), 0);
	assert_int_equal(sum_keys_of(m, 1), 10 + 11);
	assert_int_equal(sum_keys_of(m, 2), 0);
	model_free(&m);
	m = load_model(f->store);
	assert_int_equal(sum_keys_of(m, 1), 10 + 11);
	model_free(&m);
}

static void
test_model_finds_the_closest_domain_of_the_account(void **state)
{
	static const struct schema_domain rows[] = {
		{ .account = 1,
		    .name = { "example.com", 11 },
		    .state = DOMAIN_VERIFIED },
		{ .account = 1,
		    .name = { "a.example.com", 13 },
		    .state = DOMAIN_PENDING },
		{ .account = 2,
		    .name = { "example.com", 11 },
		    .state = DOMAIN_FAILED },
	};
	struct fixture *f = *state;
	struct model *m = load_model(f->store);
	struct change *c = change_begin(m);
	const struct domain *d;

	for (size_t i = 0; i < array_len(rows); i++) {
		assert_int_equal(change_put(c, SCHEMA_domain, &rows[i]), 0);
	}
	assert_int_equal(change_commit(&c), 0);
	d = model_domain_within(m, 1, STR("b.a.example.com"), -1);
	assert_true(str_is(d->r.name, "a.example.com"));
	d = model_domain_within(m, 1, STR("b.a.example.com"), DOMAIN_VERIFIED);
	assert_true(str_is(d->r.name, "example.com"));
	assert_null(
	    model_domain_within(m, 2, STR("example.com"), DOMAIN_VERIFIED));
	assert_null(model_domain_within(m, 1, STR("notexample.com"), -1));
	assert_null(model_domain_within(m, 1, STR("com"), -1));
	assert_null(model_domain_within(m, 3, STR("example.com"), -1));

	c = change_begin(m);
	change_del(c, SCHEMA_domain, &rows[0]);
	assert_int_equal(change_commit(&c), 0);
	assert_true(model_has_domain(m, STR("example.com")));
	c = change_begin(m);
	change_del(c, SCHEMA_domain, &rows[2]);
	assert_int_equal(change_commit(&c), 0);
	assert_false(model_has_domain(m, STR("example.com")));
	model_free(&m);
}

/* ---- suppressions ----------------------------------------------------------
 */

static void
suppress(struct store *s, uint32_t account, uint32_t sub, const char *address,
    uint64_t expires_us)
{
	const struct schema_suppression e = { .reason = STR("custom"),
		.expires_us = expires_us };
	struct store_txn *t = NULL;

	assert_int_equal(store_begin(s, &t), 0);
	assert_int_equal(
	    suppressions_put(t, account, sub, str_of(address), &e), 0);
	assert_int_equal(store_commit(&t), 0);
}

static void
test_suppressions_act_where_they_belong_until_they_expire(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;

	suppress(s, 1, 0, "Bob@Example.org", 0);
	suppress(s, 1, 2, "eve@example.org", 100);
	assert_int_equal(
	    suppressions_find(s, 1, 0, STR("bob@example.ORG"), 50), 1);
	assert_int_equal(
	    suppressions_find(s, 1, 2, STR("bob@example.org"), 50), 1);
	assert_int_equal(
	    suppressions_find(s, 3, 0, STR("bob@example.org"), 50), 0);
	assert_int_equal(
	    suppressions_find(s, 1, 2, STR("eve@example.org"), 99), 1);
	assert_int_equal(
	    suppressions_find(s, 1, 2, STR("eve@example.org"), 100), 0);
	assert_int_equal(
	    suppressions_find(s, 1, 0, STR("eve@example.org"), 50), 0);
	assert_int_equal(
	    suppressions_find(s, 1, 4, STR("eve@example.org"), 50), 0);
}

static void
test_suppressions_of_an_account_are_purged_in_batches(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;

	for (int i = 0; i < 5; i++) {
		char address[32];

		snprintf(address, sizeof(address), "a%d@example.org", i);
		suppress(s, 1, (uint32_t)i, address, 0);
	}
	suppress(s, 2, 0, "a1@example.org", 0);
	assert_int_equal(suppressions_purge(s, 1, 3, 100), 1);
	assert_int_equal(suppressions_purge(s, 1, 0, 3), 3);
	assert_int_equal(suppressions_purge(s, 1, 0, 3), 1);
	assert_int_equal(suppressions_purge(s, 1, 0, 3), 0);
	assert_int_equal(
	    suppressions_find(s, 2, 0, STR("a1@example.org"), 1), 1);
}

#define WITH_STORE(t)                                                          \
	cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_keeps_what_was_committed),
		WITH_STORE(test_store_each_walks_a_prefix_in_order),
		WITH_STORE(
		    test_store_sync_calls_back_in_order_unless_forgotten),
		WITH_STORE(test_store_acknowledged_changes_survive_kills),
		cmocka_unit_test(test_schema_older_records_read_with_zeros),
		WITH_STORE(test_model_finds_accounts_by_name_after_a_restart),
		WITH_STORE(test_model_ids_are_never_used_twice),
		WITH_STORE(test_model_aborted_change_leaves_no_trace),
		WITH_STORE(test_model_knows_the_keys_of_each_account),
		WITH_STORE(test_model_finds_the_closest_domain_of_the_account),
		WITH_STORE(
		    test_suppressions_act_where_they_belong_until_they_expire),
		WITH_STORE(
		    test_suppressions_of_an_account_are_purged_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
