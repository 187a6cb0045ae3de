#include "map.h"

#include <openssl/rand.h>
#include <string.h>

#include "buf.h"

/* Open addressing with linear probing; deletion moves followers back. */
struct slot {
	void *value; /* NULL: empty */
	uint64_t hash;
	char *key; /* NULL for numbers, which are their own key */
	size_t key_len;
	uint64_t number;
};

struct map {
	struct slot *slots;
	size_t mask;
	size_t used;
	uint64_t seed;
};

#define FIRST_SIZE 16

struct map *
map_new(void)
{
	struct map *m = mem_alloc(sizeof(*m));

	bug_on(RAND_bytes((unsigned char *)&m->seed, sizeof(m->seed)) != 1);
	m->slots = mem_alloc(FIRST_SIZE * sizeof(*m->slots));
	m->mask = FIRST_SIZE - 1;
	return m;
}

void
map_free(struct map **mp, void (*value)(void *))
{
	struct map *m = *mp;

	if (m == NULL) {
		return;
	}
	for (size_t i = 0; i <= m->mask; i++) {
		if (m->slots[i].value != NULL) {
			if (value != NULL) {
				value(m->slots[i].value);
			}
			free(m->slots[i].key);
		}
	}
	free(m->slots);
	free(m);
	*mp = NULL;
}

size_t
map_len(const struct map *m)
{
	return m->used;
}

static bool
slot_is(const struct slot *s, uint64_t hash, struct str key)
{
	return s->hash == hash && s->key != NULL && s->key_len == key.len &&
	    (key.len == 0 || memcmp(s->key, key.p, key.len) == 0);
}

/* The slot of the key, or the empty one where it would go. */
static struct slot *
find(const struct map *m, uint64_t hash, const struct str *key, uint64_t number)
{
	for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
		struct slot *s = &m->slots[i];

		if (s->value == NULL) {
			return s;
		}
		if (key != NULL ? slot_is(s, hash, *key)
				: s->key == NULL && s->number == number) {
			return s;
		}
	}
}

static void
grow(struct map *m)
{
	struct slot *old = m->slots;
	size_t n = m->mask + 1;

	m->slots = mem_alloc(2 * n * sizeof(*m->slots));
	m->mask = 2 * n - 1;
	for (size_t i = 0; i < n; i++) {
		size_t at = old[i].hash & m->mask;

		if (old[i].value == NULL) {
			continue;
		}
		while (m->slots[at].value != NULL) {
			at = (at + 1) & m->mask;
		}
		m->slots[at] = old[i];
	}
	free(old);
}

static void *
put(struct map *m, uint64_t hash, const struct str *key, uint64_t number,
    void *value)
{
	struct slot *s;
	void *before;

	bug_on(value == NULL);
	if (m->used >= (m->mask + 1) / 4 * 3) {
		grow(m);
	}
	s = find(m, hash, key, number);
	before = s->value;
	if (before == NULL) {
		*s = (struct slot){ .hash = hash, .number = number };
		if (key != NULL) {
			s->key = str_dup(*key);
			s->key_len = key->len;
		}
		m->used++;
	}
	s->value = value;
	return before;
}

static void *
del(struct map *m, struct slot *s)
{
	void *value = s->value;
	size_t hole = (size_t)(s - m->slots), at = hole;

	if (value == NULL) {
		return NULL;
	}
	free(s->key);
	m->used--;
	for (;;) {
		size_t home;

		at = (at + 1) & m->mask;
		if (m->slots[at].value == NULL) {
			break;
		}
		home = m->slots[at].hash & m->mask;
		/* it may move to the hole unless its home lies between */
		if (((at - home) & m->mask) >= ((at - hole) & m->mask)) {
			m->slots[hole] = m->slots[at];
			hole = at;
		}
	}
	m->slots[hole] = (struct slot){ 0 };
	return value;
}

static uint64_t
hash_u64(const struct map *m, uint64_t key)
{
	return str_hash(
	    (struct str){ (const char *)&key, sizeof(key) }, m->seed);
}

void *
map_get(const struct map *m, struct str key)
{
	return find(m, str_hash(key, m->seed), &key, 0)->value;
}

void *
map_put(struct map *m, struct str key, void *value)
{
	return put(m, str_hash(key, m->seed), &key, 0, value);
}

void *
map_del(struct map *m, struct str key)
{
	return del(m, find(m, str_hash(key, m->seed), &key, 0));
}

void *
map_get_u64(const struct map *m, uint64_t key)
{
	return find(m, hash_u64(m, key), NULL, key)->value;
}

void *
map_put_u64(struct map *m, uint64_t key, void *value)
{
	return put(m, hash_u64(m, key), NULL, key, value);
}

void *
map_del_u64(struct map *m, uint64_t key)
{
	return del(m, find(m, hash_u64(m, key), NULL, key));
}

/*
 * Backwards from an empty slot: what a deletion moves into the hole was seen
 * before it. *at holds that slot's number + 1 in its upper half, the steps
 * taken in its lower half.
 */
bool
map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
	size_t start, steps;

	if (*at == 0) {
		for (start = 0; m->slots[start].value != NULL; start++) {
		}
		*at = (start + 1) << 32;
	}
	start = (*at >> 32) - 1;
	for (steps = *at & 0xffffffff; steps <= m->mask; steps++) {
		const struct slot *s = &m->slots[(start - steps) & m->mask];

		if (s->value != NULL) {
			*key = s->key != NULL
			    ? (struct str){ s->key, s->key_len }
			    : (struct str){ (const char *)&s->number,
				      sizeof(s->number) };
			*value = s->value;
			*at = (start + 1) << 32 | (steps + 1);
			return true;
		}
	}
	return false;
}
