#include "store_filter.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "buf.h"

#define WORDS_A_BLOCK (STORE_FILTER_BLOCK / sizeof(uint64_t))
#define BITS_A_KEY 7u /* 64 bits of a hash are seven times nine */

struct store_filter {
	_Atomic uint64_t *words;
	uint64_t blocks;
	atomic_bool is_complete;
};

struct store_filter *
store_filter_new(uint64_t bytes)
{
	struct store_filter *f = mem_alloc(sizeof(*f));

	f->blocks = bytes < STORE_FILTER_BLOCK ? 1 : bytes / STORE_FILTER_BLOCK;
	f->words = mem_alloc(f->blocks * STORE_FILTER_BLOCK);
	return f;
}

void
store_filter_free(struct store_filter **fp)
{
	struct store_filter *f = *fp;

	if (f != NULL) {
		free(f->words);
		free(f);
		*fp = NULL;
	}
}

/* FNV-1a, then the finish of MurmurHash3: every bit depends on every byte. */
static uint64_t
hash(struct str key)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < key.len; i++) {
		h = (h ^ (uint8_t)key.p[i]) * 0x100000001b3ULL;
	}
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

static uint64_t
block_of(const struct store_filter *f, uint64_t h)
{
	return (h >> 32) % f->blocks;
}

/* Nine bits of the second hash choose one of a block's 512. */
static uint64_t
next_bit(uint64_t *h, unsigned *word)
{
	uint64_t bit = *h & 63;

	*word = (unsigned)(*h >> 6) & (WORDS_A_BLOCK - 1);
	*h = *h >> 9 | *h << 55;
	return 1ULL << bit;
}

bool
store_filter_add(struct store_filter *f, struct str key, uint64_t *at)
{
	uint64_t h = hash(key);
	uint64_t n = block_of(f, h);
	_Atomic uint64_t *block = f->words + n * WORDS_A_BLOCK;
	bool is_new = false;

	*at = n * STORE_FILTER_BLOCK;
	h *= 0x9e3779b97f4a7c15ULL;
	for (unsigned i = 0; i < BITS_A_KEY; i++) {
		unsigned word;
		uint64_t bit = next_bit(&h, &word);

		if ((atomic_load_explicit(&block[word], memory_order_relaxed) &
			bit) == 0) {
			atomic_fetch_or_explicit(
			    &block[word], bit, memory_order_relaxed);
			is_new = true;
		}
	}
	return is_new;
}

void
store_filter_complete(struct store_filter *f)
{
	atomic_store(&f->is_complete, true);
}

bool
store_filter_is_complete(const struct store_filter *f)
{
	return atomic_load(&f->is_complete);
}

uint64_t
store_filter_size(const struct store_filter *f)
{
	return f->blocks * STORE_FILTER_BLOCK;
}

void
store_filter_save(
    const struct store_filter *f, uint64_t at, uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		words[i] = atomic_load_explicit(
		    &f->words[at / sizeof(uint64_t) + i], memory_order_relaxed);
	}
}

void
store_filter_load(
    struct store_filter *f, uint64_t at, const uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i] != 0) {
			atomic_fetch_or_explicit(
			    &f->words[at / sizeof(uint64_t) + i], words[i],
			    memory_order_relaxed);
		}
	}
}

bool
store_filter_may_have(const struct store_filter *f, struct str key)
{
	uint64_t h = hash(key);
	const _Atomic uint64_t *block =
	    f->words + block_of(f, h) * WORDS_A_BLOCK;

	if (!atomic_load(&f->is_complete)) {
		return true;
	}
	h *= 0x9e3779b97f4a7c15ULL;
	for (unsigned i = 0; i < BITS_A_KEY; i++) {
		unsigned word;
		uint64_t bit = next_bit(&h, &word);

		if ((atomic_load_explicit(&block[word], memory_order_relaxed) &
			bit) == 0) {
			return false;
		}
	}
	return true;
}
