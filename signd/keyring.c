#include "keyring.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "map.h"
#include "odkim.h"

struct keyring {
	int dir;
	bool keeps_pem;
	struct map *bindings; /* "account domain" to struct binding */
	struct map *owners;   /* domain to struct owners */
};

/* How many accounts sign for a domain, to tell foreign from unknown. */
struct owners {
	unsigned n;
};

struct keyring *
keyring_new(int dir, bool keeps_pem)
{
	struct keyring *k = mem_alloc(sizeof(*k));

	k->dir = dir;
	k->keeps_pem = keeps_pem;
	k->bindings = map_new();
	k->owners = map_new();
	return k;
}

static struct key *
key_new(struct str domain, struct str selector)
{
	struct key *key = mem_alloc(sizeof(*key));

	key->refs = 1;
	key->domain = str_dup(domain);
	key->selector = str_dup(selector);
	pthread_mutex_init(&key->lock, NULL);
	return key;
}

void
key_ref(struct key *key)
{
	key->refs++;
}

/* Secrets do not outlive the key. */
static void
unload(struct key *key)
{
	if (key->pem.p != NULL) {
		explicit_bzero(key->pem.p, key->pem.cap);
	}
	buf_fini(&key->pem);
	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}

void
key_unref(struct key *key)
{
	if (key == NULL || --key->refs > 0) {
		return;
	}
	unload(key);
	pthread_mutex_destroy(&key->lock);
	free(key->domain);
	free(key->selector);
	free(key);
}

static void
binding_free(void *p)
{
	struct binding *b = p;

	for (size_t i = 0; i < BINDING_KEYS; i++) {
		key_unref(b->keys[i]);
	}
	free(b);
}

void
keyring_free(struct keyring **kp)
{
	struct keyring *k = *kp;

	if (k == NULL) {
		return;
	}
	map_free(&k->bindings, binding_free);
	map_free(&k->owners, free);
	free(k);
	*kp = NULL;
}

static struct str
binding_name(struct buf *b, uint32_t account, struct str domain)
{
	buf_printf(b, "%u ", account);
	buf_add(b, domain.p, domain.len);
	return buf_str(b);
}

static void
add_owner(struct keyring *k, struct str domain)
{
	struct owners *o = map_get(k->owners, domain);

	if (o == NULL) {
		o = mem_alloc(sizeof(*o));
		(void)map_put(k->owners, domain, o); /* there was none */
	}
	o->n++;
}

static void
drop_owner(struct keyring *k, struct str domain)
{
	struct owners *o = map_get(k->owners, domain);

	bug_on(o == NULL || o->n == 0);
	if (--o->n == 0) {
		free(map_del(k->owners, domain));
	}
}

/* A reference to the key of that selector: the one in use, or a new one. */
static struct key *
keep_or_new(const struct binding *old, struct str domain, struct str selector)
{
	for (size_t i = 0; old != NULL && i < BINDING_KEYS; i++) {
		struct key *key = old->keys[i];

		if (key != NULL && str_is(selector, key->selector)) {
			key_ref(key);
			return key;
		}
	}
	return key_new(domain, selector);
}

void
keyring_bind(struct keyring *k, uint32_t account, struct str domain,
    struct str selector1, struct str selector2)
{
	const struct str selectors[BINDING_KEYS] = { selector1, selector2 };
	struct buf name = { 0 };
	struct str key = binding_name(&name, account, domain);
	struct binding *old = map_get(k->bindings, key);
	struct binding *b;

	if (selector1.len == 0 && selector2.len == 0) {
		keyring_forget(k, account, domain);
		buf_fini(&name);
		return;
	}
	b = mem_alloc(sizeof(*b));
	b->account = account;
	for (size_t i = 0; i < BINDING_KEYS; i++) {
		if (selectors[i].len > 0) {
			b->keys[i] = keep_or_new(old, domain, selectors[i]);
		}
	}
	(void)map_put(k->bindings, key, b); /* old is freed here */
	if (old != NULL) {
		binding_free(old);
	} else {
		add_owner(k, domain);
	}
	buf_fini(&name);
}

void
keyring_forget(struct keyring *k, uint32_t account, struct str domain)
{
	struct buf name = { 0 };
	struct binding *b =
	    map_del(k->bindings, binding_name(&name, account, domain));

	if (b != NULL) {
		binding_free(b);
		drop_owner(k, domain);
	}
	buf_fini(&name);
}

int
keyring_find(const struct keyring *k, uint32_t account, struct str domain,
    struct binding **out)
{
	struct buf name = { 0 };
	struct binding *b =
	    map_get(k->bindings, binding_name(&name, account, domain));

	buf_fini(&name);
	if (b == NULL) {
		return map_get(k->owners, domain) != NULL ? -EACCES : -ENOENT;
	}
	*out = b;
	return 0;
}

/* Our signature must satisfy an implementation that is not ours. */
static int
try_out(struct key *key)
{
	static const struct str header = {
		"From: <signd@localhost.invalid>\r\nSubject: self test\r\n", 53
	};
	static const struct str body = { "One  line \r\n\r\n", 14 };
	char field[DKIM_SIGNATURE_MAX];
	uint8_t hash[DKIM_HASH_LEN];
	struct dkim_request req = {
		.header = header.p,
		.header_len = header.len,
		.body_hash = hash,
		.domain = key->domain,
		.selector = key->selector,
		.key = key->pkey,
		.algorithm = key->algorithm,
		.time_s = clock_wall_us() / US_PER_S,
	};
	struct odkim_message m = { .fd = -1 };
	struct dkim_body sum = { 0 };
	struct buf text = { 0 };
	ssize_t n;
	int r = dkim_body_init(&sum, false);

	if (r == 0) {
		dkim_body_update(&sum, body.p, body.len);
		r = dkim_body_final(&sum, hash);
		dkim_body_fini(&sum);
	}
	if (r < 0) {
		return r;
	}
	n = dkim_make_signature(&req, field, sizeof(field));
	if (n < 0) {
		return (int)n;
	}
	buf_add(&text, header.p, header.len);
	buf_puts(&text, "\r\n");
	buf_add(&text, body.p, body.len);
	m.text = buf_str(&text);
	r = odkim_verify(
	    (struct str){ field, (size_t)n }, &m, key->record, key->why);
	buf_fini(&text);
	return r;
}

static int
load(const struct keyring *k, struct key *key)
{
	int r = keyfile_load(k->dir, key->domain, key->selector, &key->pkey,
	    k->keeps_pem ? &key->pem : NULL);

	if (r == 0) {
		r = keyfile_algorithm(key->pkey, &key->algorithm);
	}
	if (r == 0) {
		r = keyfile_record(key->pkey, key->record);
	}
	return r == 0 ? try_out(key) : r;
}

int
keyring_load(const struct keyring *k, struct key *key)
{
	int r = 0;

	pthread_mutex_lock(&key->lock);
	if (!key->is_loaded) {
		r = load(k, key);
		key->is_loaded = r == 0;
		if (r < 0) {
			unload(key);
		}
	}
	pthread_mutex_unlock(&key->lock);
	return r;
}
