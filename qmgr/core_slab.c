#include "core_slab.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_BUCKETS 256u
/* What is below is in small pages, so that a short queue takes little. */
#define SMALL_BYTES (2u * 1024 * 1024)

/*
 * Each message of a long queue is somewhere else: in small pages, finding the
 * page takes as long as the message. Where there are no large ones it works as
 * well.
 */
void *
slab_reserve(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		return NULL;
	}
	if (bytes > SMALL_BYTES) {
		(void)madvise(
		    p + SMALL_BYTES, bytes - SMALL_BYTES, MADV_HUGEPAGE);
	}
	return p;
}

void
slab_release(void *p, size_t bytes)
{
	if (p != NULL) {
		(void)munmap(p, bytes); /* ours, whole: cannot fail */
	}
}

int
slab_init(struct slab *s, size_t size, uint32_t max)
{
	bug_on(size < sizeof(uint32_t) || size % sizeof(uint32_t) != 0);
	*s = (struct slab){ .size = size, .used = 1, .max = max };
	s->base = slab_reserve(size * ((size_t)max + 1));
	return s->base == NULL ? -ENOMEM : 0;
}

void
slab_fini(struct slab *s)
{
	slab_release(s->base, s->size * ((size_t)s->max + 1));
	*s = (struct slab){ 0 };
}

uint32_t
slab_alloc(struct slab *s)
{
	uint32_t i = s->free;

	if (i != NIL) {
		uint32_t *e = slab_at(s, i);

		s->free = *e;
		*e = 0;
	} else {
		if (s->used > s->max) {
			return NIL;
		}
		i = s->used++;
	}
	s->live++;
	return i;
}

void
slab_free(struct slab *s, uint32_t i)
{
	uint32_t *e = slab_at(s, i);

	bug_on(i == NIL || i >= s->used || s->live == 0);
	memset(e, 0, s->size);
	*e = s->free;
	s->free = i;
	s->live--;
}

void
list_push(uint32_t *head, struct kin k, uint32_t i)
{
	struct link *n = link_at(k, i);
	struct link *h;

	if (*head == NIL) {
		*n = (struct link){ i, i };
		*head = i;
		return;
	}
	h = link_at(k, *head);
	*n = (struct link){ .next = *head, .prev = h->prev };
	link_at(k, h->prev)->next = i;
	h->prev = i;
}

void
list_push_front(uint32_t *head, struct kin k, uint32_t i)
{
	list_push(head, k, i);
	*head = i;
}

void
list_remove(uint32_t *head, struct kin k, uint32_t i)
{
	struct link *n = link_at(k, i);

	if (n->next == i) {
		*head = NIL;
	} else {
		link_at(k, n->prev)->next = n->next;
		link_at(k, n->next)->prev = n->prev;
		if (*head == i) {
			*head = n->next;
		}
	}
	*n = (struct link){ 0 };
}

uint32_t
list_pop(uint32_t *head, struct kin k)
{
	uint32_t i = *head;

	if (i != NIL) {
		list_remove(head, k, i);
	}
	return i;
}

int
htab_init(struct htab *h, const struct slab *s, size_t off,
    uint64_t (*hash)(const void *, uint64_t), uint64_t seed)
{
	*h = (struct htab){ .slab = s, .off = off, .hash = hash, .seed = seed };
	h->max = FIRST_BUCKETS;
	while (h->max <= s->max) {
		h->max *= 2;
	}
	h->mask = FIRST_BUCKETS - 1;
	h->bucket = slab_reserve(h->max * sizeof(*h->bucket));
	return h->bucket == NULL ? -ENOMEM : 0;
}

void
htab_fini(struct htab *h)
{
	slab_release(h->bucket, h->max * sizeof(*h->bucket));
	*h = (struct htab){ 0 };
}

void
htab_expect(struct htab *h, uint32_t n)
{
	bug_on(h->count != 0);
	if (n > h->slab->max) {
		n = h->slab->max;
	}
	while (n / 2 > h->mask) {
		h->mask = h->mask << 1 | 1;
	}
	h->split = n > h->mask ? n - h->mask - 1 : 0;
}

static uint32_t *
chain(const struct htab *h, uint32_t i)
{
	return (uint32_t *)(void *)((uint8_t *)slab_at(h->slab, i) + h->off);
}

static uint32_t *
bucket_of(const struct htab *h, uint64_t hash)
{
	uint32_t b = (uint32_t)hash & h->mask;

	if (b < h->split) {
		b = (uint32_t)hash & (h->mask << 1 | 1);
	}
	return &h->bucket[b];
}

static uint64_t
hash_of(const struct htab *h, uint32_t i)
{
	return h->hash(slab_at(h->slab, i), h->seed);
}

static void
grow(struct htab *h)
{
	uint32_t i = h->bucket[h->split];

	if ((size_t)h->mask + 1 + h->split >= h->max) {
		return;
	}
	h->bucket[h->split] = NIL;
	h->split++;
	while (i != NIL) {
		uint32_t next = *chain(h, i);
		uint32_t *b = bucket_of(h, hash_of(h, i));

		*chain(h, i) = *b;
		*b = i;
		i = next;
	}
	if (h->split > h->mask) {
		h->mask = h->mask << 1 | 1;
		h->split = 0;
	}
}

void
htab_add(struct htab *h, uint32_t i)
{
	uint32_t *b;

	if (h->count >= h->mask + 1 + h->split) {
		grow(h);
	}
	b = bucket_of(h, hash_of(h, i));
	*chain(h, i) = *b;
	*b = i;
	h->count++;
}

void
htab_del(struct htab *h, uint32_t i)
{
	uint32_t *at = bucket_of(h, hash_of(h, i));

	while (*at != i) {
		bug_on(*at == NIL);
		at = chain(h, *at);
	}
	*at = *chain(h, i);
	*chain(h, i) = NIL;
	h->count--;
}

uint32_t
htab_first(const struct htab *h, uint64_t hash)
{
	return *bucket_of(h, hash);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
	v[0] = v[0] << 32 | v[0] >> 32;
	v[2] += v[3];
	v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
	v[0] += v[3];
	v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
	v[2] += v[1];
	v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
	v[2] = v[2] << 32 | v[2] >> 32;
}

uint64_t
hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const uint8_t *b = p;
	uint64_t k1 = mix64(seed + 0x9e3779b97f4a7c15ULL);
	uint64_t v[4] = { seed ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL, seed ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL };
	uint64_t tail = (uint64_t)n << 56;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, b + i, 8);
		w = le64toh(w);
		v[3] ^= w;
		sip_round(v);
		v[0] ^= w;
	}
	for (unsigned shift = 0; i < n; i++, shift += 8) {
		tail |= (uint64_t)b[i] << shift;
	}
	v[3] ^= tail;
	sip_round(v);
	v[0] ^= tail;
	v[2] ^= 0xff;
	for (int r = 0; r < 3; r++) {
		sip_round(v);
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
