/*
 * Which keys may be in a table? A Bloom filter (of blocks that are one cache
 * line each) answers for nearly all that are not, so that the loop does not
 * wait for a disk to hear of nothing. Keys are never taken out: a removed one
 * costs a look-up until the filter is made anew.
 *
 * One thread may add while others add and ask.
 */
#ifndef ACCOUNTD_STORE_FILTER_H
#define ACCOUNTD_STORE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct store_filter;

/* Bytes that one key has its bits in; sizes and offsets are multiples. */
#define STORE_FILTER_BLOCK 64u

/* Of so many bytes; below 10 bits a key it lets more and more through. Memory
 * is only used where keys fall. Never NULL. */
struct store_filter *store_filter_new(uint64_t bytes);
void store_filter_free(struct store_filter **f); /* NULL allowed */

/* True: the block at offset *at (bytes, set in any case) has changed. */
bool store_filter_add(struct store_filter *f, struct str key, uint64_t *at);

/* All keys of the table were added: from now on it can say no. */
void store_filter_complete(struct store_filter *f);
bool store_filter_is_complete(const struct store_filter *f);

/* False: the key is not in the table. */
bool store_filter_may_have(const struct store_filter *f, struct str key);

/* Bytes of all blocks. */
uint64_t store_filter_size(const struct store_filter *f);

/* Copies n words out, beginning at the offset at (bytes), or adds the bits of
 * n words there. */
void store_filter_save(
    const struct store_filter *f, uint64_t at, uint64_t *words, size_t n);
void store_filter_load(
    struct store_filter *f, uint64_t at, const uint64_t *words, size_t n);

#endif
