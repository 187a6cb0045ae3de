/*
 * A hash table from bytes or numbers to pointers. The table does not own
 * keys' owners or values; keys are copied. Seeded, so that keys from outside
 * cannot be chosen to collide.
 */
#ifndef LIB_MAP_H
#define LIB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

struct map;

struct map *map_new(void);
/* Frees the table; value is called for each value when not NULL. */
void map_free(struct map **m, void (*value)(void *));

size_t map_len(const struct map *m);
void *map_get(const struct map *m, struct str key); /* NULL: not there */
/* Sets the value (not NULL) and returns the one before or NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_del(struct map *m, struct str key); /* returns the value */

void *map_get_u64(const struct map *m, uint64_t key);
void *map_put_u64(struct map *m, uint64_t key, void *value);
void *map_del_u64(struct map *m, uint64_t key);

/* All entries, in no order; *at begins with 0. The entry found last may be
 * deleted meanwhile, others not. False at the end. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

#endif
