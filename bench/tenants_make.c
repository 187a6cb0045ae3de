/*
 * A database of many tenants, and what it takes to start with it.
 *
 *	tenants_make make DIR [accounts [keys [suppressions]]]
 *	tenants_make load DIR [look-ups]
 *
 * `make' writes accountd's database into an empty directory, and a user name
 * and a password of each key, one key a line, to DIR/../logins. The accounts
 * may send unsigned mail; each has a domain, a tally and its share of keys and
 * suppressions. `load' opens it as accountd does at its start, looks up
 * suppressions at random, walks the keys of each account, and prints CPU and
 * real time and memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "apikey.h"
#include "log.h"
#include "loop.h"
#include "model.h"
#include "suppressions.h"
#include "tallies.h"

#define CACHE (32u << 20)
#define FILTER (16u << 20) /* suppression_filter_size's default */
#define PER_COMMIT 5000u

struct maker {
	struct store *store;
	struct store_txn *txn;
	uint64_t in_txn;
	uint64_t now_us;
};

static double
seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
check(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "tenants_make: %s: %s\n", what, strerror(-r));
		exit(1);
	}
}

static struct store *
open_store(const char *directory)
{
	const struct store_options o = { .directory = directory,
		.cache_size = CACHE,
		.filter_bytes = FILTER };
	struct store *s = NULL;
	struct buf error = { 0 };

	if (store_open(&o, &s, &error) < 0) {
		fprintf(
		    stderr, "tenants_make: %.*s\n", STR_ARG(buf_str(&error)));
		exit(1);
	}
	return s;
}

/* Spreads numbers, so that addresses come in no order. */
static uint64_t
mix(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15ULL;
	return n ^ n >> 29;
}

static void
commit(struct maker *m)
{
	if (m->txn != NULL) {
		check(store_commit(&m->txn), "commit");
		m->in_txn = 0;
	}
}

static struct store_txn *
transaction(struct maker *m)
{
	if (m->in_txn++ == PER_COMMIT) {
		commit(m);
	}
	if (m->txn == NULL) {
		check(store_begin(m->store, &m->txn), "begin");
	}
	return m->txn;
}

static void
put(struct maker *m, enum store_table table, const struct buf *key,
    enum schema_kind kind, const void *rec)
{
	struct buf value = { 0 };

	check(schema_encode(&value, kind, rec), schema_name(kind));
	check(store_put(transaction(m), table, buf_str(key), buf_str(&value)),
	    schema_name(kind));
	buf_fini(&value);
}

static void
put_tally(struct maker *m, const struct buf *key)
{
	struct tally t = { 0 };
	struct buf value = { 0 };

	tally_add(&t, TALLY_SENT, m->now_us, 100);
	tally_add(&t, TALLY_DELIVERED, m->now_us, 100);
	tally_book(&t, TALLY_ENTRY_DELIVERY, m->now_us);
	tally_print(&t, &value);
	check(store_put(
		  transaction(m), STORE_TALLY, buf_str(key), buf_str(&value)),
	    "tally");
	buf_fini(&value);
}

static void
put_accounts(struct maker *m, uint32_t accounts)
{
	for (uint32_t id = 1; id <= accounts; id++) {
		char name[32], domain[64];
		struct schema_account a = { .id = id,
			.name = str_of(name),
			.unsigned_mail = STR("allow"),
			.created_us = m->now_us };
		struct schema_domain d = { .account = id,
			.name = str_of(domain),
			.state = DOMAIN_VERIFIED,
			.created_us = m->now_us,
			.checked_us = m->now_us,
			.token = STR("a-token-that-is-never-published") };
		struct buf key = { 0 };

		snprintf(name, sizeof(name), "tenant%u", id);
		snprintf(domain, sizeof(domain), "tenant%u.example", id);
		a.name = str_of(name);
		d.name = str_of(domain);
		model_key_u32(&key, id);
		put(m, STORE_ACCOUNT, &key, SCHEMA_account, &a);
		put_tally(m, &key);
		buf_add(&key, d.name.p, d.name.len);
		put(m, STORE_DOMAIN, &key, SCHEMA_domain, &d);
		buf_fini(&key);
	}
	commit(m);
}

static void
put_keys(struct maker *m, FILE *logins, uint32_t accounts, uint32_t keys)
{
	for (uint32_t i = 0; i < keys; i++) {
		uint32_t id = accounts + 1 + i;
		uint32_t account = 1 + i % accounts;
		struct apikey made;
		struct schema_key k = { .id = id,
			.account = account,
			.label = STR("bench"),
			.created_us = m->now_us };
		struct buf key = { 0 };

		check(apikey_make(id, false, &made), "key");
		k.salt =
		    (struct str){ (const char *)made.salt, sizeof(made.salt) };
		k.hash =
		    (struct str){ (const char *)made.hash, sizeof(made.hash) };
		model_key_u32(&key, id);
		put(m, STORE_KEY, &key, SCHEMA_key, &k);
		fprintf(logins, "tenant%u %s\n", account, made.text);
		buf_fini(&key);
	}
	commit(m);
}

static void
print_address(char *dst, size_t size, uint64_t n)
{
	snprintf(dst, size, "user-%016" PRIx64 "@mail%u.example", mix(n),
	    (unsigned)(n % 97));
}

static void
put_suppressions(struct maker *m, uint32_t accounts, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		const struct schema_suppression e = {
			.reason = STR("hard-bounce"),
			.detail = STR("550 5.1.1 no such user here"),
			.created_us = m->now_us,
			.count = 1,
		};
		uint32_t account = 1 + (uint32_t)(i * accounts / n);
		char address[64];

		print_address(address, sizeof(address), i);
		check(suppressions_put(
			  transaction(m), account, 0, str_of(address), &e),
		    "suppression");
	}
	commit(m);
}

static int
make(const char *directory, uint32_t accounts, uint32_t keys, uint64_t n)
{
	struct maker m = { .store = open_store(directory),
		.now_us = (uint64_t)time(NULL) * 1000000 };
	struct schema_instance instance = { .next_id = accounts + keys + 1 };
	uint8_t secret[32];
	char path[4096];
	FILE *logins;
	struct buf none = { 0 };

	snprintf(path, sizeof(path), "%s/../logins", directory);
	logins = fopen(path, "we");
	if (logins == NULL || RAND_bytes(secret, sizeof(secret)) != 1) {
		check(-EIO, path);
	}
	instance.return_key =
	    (struct str){ (const char *)secret, sizeof(secret) };
	put(&m, STORE_INSTANCE, &none, SCHEMA_instance, &instance);
	put_accounts(&m, accounts);
	put_keys(&m, logins, accounts, keys);
	put_suppressions(&m, accounts, n);
	store_close(&m.store);
	return fclose(logins) == 0 ? 0 : 1;
}

static uint64_t
resident_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t kb = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "VmRSS: %" SCNu64, &kb) == 1) {
			break;
		}
	}
	if (f != NULL) {
		(void)fclose(f);
	}
	return kb;
}

static void
print_step(const char *what, double *cpu, double *real)
{
	double now_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	double now_real = seconds(CLOCK_MONOTONIC);

	printf("%-22s CPU %7.3f s  real %7.3f s  %7.1f MB resident\n", what,
	    now_cpu - *cpu, now_real - *real, (double)resident_kb() / 1024);
	*cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	*real = seconds(CLOCK_MONOTONIC);
}

static uint64_t
look_up(struct store *s, uint32_t accounts, uint64_t n)
{
	uint64_t found = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t account = 1 + (uint32_t)(mix(i) % accounts);
		char address[64];

		print_address(address, sizeof(address), mix(i) >> 3);
		found +=
		    suppressions_find(s, account, 0, str_of(address), 1) > 0;
	}
	return found;
}

/* For each account, as failed logins make accountd do; see guarded.c. */
static void
walk_keys(const struct model *m)
{
	const struct account *a;
	size_t n = 0;
	size_t at = 0;

	while ((a = model_next_account(m, &at)) != NULL) {
		const struct key *k = NULL;

		while ((k = model_key_of(m, a->r.id, k)) != NULL) {
			n++;
		}
	}
	printf("%zu keys are of an account\n", n);
}

static int
load(const char *directory, uint64_t lookups)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	double real = seconds(CLOCK_MONOTONIC);
	struct store *s = open_store(directory);
	struct model *m = NULL;
	struct tallies *t = NULL;
	struct buf error = { 0 };
	uint32_t accounts = 0;
	size_t at = 0;

	print_step("open, recover", &cpu, &real);
	check(model_load(s, &m, &error), "model");
	print_step("accounts, keys", &cpu, &real);
	check(tallies_load(s, &t), "tallies");
	print_step("tallies", &cpu, &real);
	walk_keys(m);
	print_step("keys of each account", &cpu, &real);
	while (model_next_account(m, &at) != NULL) {
		accounts++;
	}
	if (lookups > 0 && accounts > 0) {
		(void)look_up(s, accounts, lookups);
		print_step("look-ups", &cpu, &real);
	}
	tallies_free(&t);
	model_free(&m);
	store_close(&s);
	print_step("close", &cpu, &real);
	return 0;
}

static uint64_t
number(int argc, char **argv, int i, uint64_t otherwise)
{
	return i < argc ? strtoull(argv[i], NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	loop_init();
	if (argc >= 3 && strcmp(argv[1], "make") == 0) {
		return make(argv[2], (uint32_t)number(argc, argv, 3, 10000),
		    (uint32_t)number(argc, argv, 4, 100000),
		    number(argc, argv, 5, 10000000));
	}
	if (argc >= 3 && strcmp(argv[1], "load") == 0) {
		return load(argv[2], number(argc, argv, 3, 0));
	}
	fputs("usage: tenants_make make DIR [accounts [keys [suppressions]]]\n"
	      "       tenants_make load DIR [look-ups]\n",
	    stderr);
	return 64;
}
