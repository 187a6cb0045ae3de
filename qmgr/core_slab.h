/*
 * What the core's objects live in: slabs of equal elements under numbers of 32
 * bits, round lists through them, and hash tables over them that grow one
 * bucket at a time, so that no insertion ever pays for all. Number 0 is
 * nothing: zeroed memory holds empty lists.
 */
#ifndef QMGR_CORE_SLAB_H
#define QMGR_CORE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"

#define NIL 0u

/* Memory is reserved for max elements and used as they come. */
struct slab {
	uint8_t *base;
	size_t size;   /* of an element, at least 4 */
	uint32_t used; /* elements ever used; number 0 is not */
	uint32_t max;
	uint32_t free; /* first of the free ones, linked by their first word */
	uint32_t live;
};

/* Zeroed address space; NULL when it is not granted. */
void *slab_reserve(size_t bytes);
void slab_release(void *p, size_t bytes);

int slab_init(struct slab *s, size_t size, uint32_t max) MUST_CHECK;
void slab_fini(struct slab *s);

/* A zeroed element, or NIL when max is reached. */
uint32_t slab_alloc(struct slab *s);

/* Zeroes it, but for the link in its first word: whatever tells that a place
 * is free must not stand there. */
void slab_free(struct slab *s, uint32_t i);

static inline void *
slab_at(const struct slab *s, uint32_t i)
{
	return s->base + (size_t)i * s->size;
}

/* ---- round lists --------------------------------------------------------- */

struct link {
	uint32_t next;
	uint32_t prev;
};

/* Which slab a list goes through, and by which of its members. */
struct kin {
	const struct slab *slab;
	size_t off;
};

static inline struct link *
link_at(struct kin k, uint32_t i)
{
	return (struct link *)(void *)((uint8_t *)slab_at(k.slab, i) + k.off);
}

/* At the end of the list that begins at *head. */
void list_push(uint32_t *head, struct kin k, uint32_t i);
void list_push_front(uint32_t *head, struct kin k, uint32_t i);
void list_remove(uint32_t *head, struct kin k, uint32_t i);
uint32_t list_pop(uint32_t *head, struct kin k);

/* The one behind i, or NIL at the end. */
static inline uint32_t
list_next(uint32_t head, struct kin k, uint32_t i)
{
	uint32_t n = link_at(k, i)->next;

	return n == head ? NIL : n;
}

/* ---- hash tables ----------------------------------------------------------
 */

/*
 * Linear hashing (Litwin 1980): bucket `split` is the next to be divided in
 * two. Elements are chained by the word at off; hash gives an element's.
 */
struct htab {
	const struct slab *slab;
	size_t off;
	uint64_t (*hash)(const void *elem, uint64_t seed);
	uint64_t seed;
	uint32_t *bucket;
	size_t max;
	uint32_t mask; /* of the smaller numbering */
	uint32_t split;
	uint32_t count;
};

int htab_init(struct htab *h, const struct slab *s, size_t off,
    uint64_t (*hash)(const void *, uint64_t), uint64_t seed) MUST_CHECK;
void htab_fini(struct htab *h);
/* As many buckets at once as n elements have in the end. Only while empty. */
void htab_expect(struct htab *h, uint32_t n);
void htab_add(struct htab *h, uint32_t i);
void htab_del(struct htab *h, uint32_t i);

/* The first and following elements that may have this hash; NIL ends. */
uint32_t htab_first(const struct htab *h, uint64_t hash);

static inline uint32_t
htab_next(const struct htab *h, uint32_t i)
{
	const uint8_t *e = slab_at(h->slab, i);

	return *(const uint32_t *)(const void *)(e + h->off);
}

/* Mixes 64 bits (splitmix64's finaliser). */
static inline uint64_t
mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* SipHash-1-3 of bytes that strangers choose. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
