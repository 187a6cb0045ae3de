#include "passed_files.h"

#include <string.h>
#include <unistd.h>

#include "map.h"

/* Segments, then big files. A value is the descriptor plus one. */
static struct map *maps[2];

static void
value_close(void *value)
{
	(void)close((int)(intptr_t)value - 1); /* read only */
}

void
passed_files_add(uint64_t segid, bool is_big, int fd)
{
	void *old;

	if (maps[is_big] == NULL) {
		maps[is_big] = map_new();
	}
	old = map_put_u64(maps[is_big], segid, (void *)(intptr_t)(fd + 1));
	if (old != NULL) {
		value_close(old);
	}
}

int
passed_files_get(uint64_t segid, bool is_big)
{
	void *value = NULL;

	if (maps[is_big] != NULL) {
		value = map_get_u64(maps[is_big], segid);
	}
	return value != NULL ? (int)(intptr_t)value - 1 : -1;
}

void
passed_files_drop(uint64_t segid, bool is_big)
{
	void *value = NULL;

	if (maps[is_big] != NULL) {
		value = map_del_u64(maps[is_big], segid);
	}
	if (value != NULL) {
		value_close(value);
	}
}

void
passed_files_keep(
    bool (*is_needed)(void *arg, uint64_t segid, bool is_big), void *arg)
{
	for (int i = 0; i < 2; i++) {
		struct str key;
		void *value;
		size_t at = 0;

		while (
		    maps[i] != NULL && map_next(maps[i], &at, &key, &value)) {
			uint64_t segid;

			memcpy(&segid, key.p, sizeof(segid));
			if (!is_needed(arg, segid, i != 0)) {
				passed_files_drop(segid, i != 0);
			}
		}
	}
}

void
passed_files_fini(void)
{
	for (int i = 0; i < 2; i++) {
		if (maps[i] != NULL) {
			map_free(&maps[i], value_close);
		}
	}
}
