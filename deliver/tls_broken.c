#include "tls_broken.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "buf.h"
#include "clock.h"
#include "map.h"
#include "service.h"
#include "str.h"

struct broken {
	TAILQ_ENTRY(broken) link;
	uint64_t until_us; /* clock_mono_us */
	char *key;
};

static struct {
	struct map *by_key;
	TAILQ_HEAD(, broken) by_time; /* the first to be forgotten first */
} all;

static void
forget(struct broken *b)
{
	TAILQ_REMOVE(&all.by_time, b, link);
	(void)map_del(all.by_key, str_of(b->key));
	free(b->key);
	free(b);
}

static void
make_room(uint64_t now_us)
{
	struct broken *b;

	while ((b = TAILQ_FIRST(&all.by_time)) != NULL &&
	    (b->until_us <= now_us ||
		map_len(all.by_key) >= conf()->smtp_tls_broken_limit)) {
		forget(b);
	}
}

void
tls_broken_remember(const char *key)
{
	uint64_t now_us = clock_mono_us();
	struct broken *b;

	if (conf()->smtp_tls_broken_time == 0) {
		return;
	}
	if (all.by_key == NULL) {
		all.by_key = map_new();
		TAILQ_INIT(&all.by_time);
	}
	b = map_get(all.by_key, str_of(key));
	if (b != NULL) {
		forget(b);
	}
	make_room(now_us);
	b = mem_alloc(sizeof(*b));
	b->key = mem_strdup(key);
	b->until_us = now_us + conf()->smtp_tls_broken_time;
	(void)map_put(all.by_key, str_of(key), b);
	TAILQ_INSERT_TAIL(&all.by_time, b, link);
}

bool
tls_broken_is(const char *key)
{
	const struct broken *b =
	    all.by_key != NULL ? map_get(all.by_key, str_of(key)) : NULL;

	return b != NULL && b->until_us > clock_mono_us();
}

void
tls_broken_fini(void)
{
	struct broken *b;

	if (all.by_key != NULL) {
		while ((b = TAILQ_FIRST(&all.by_time)) != NULL) {
			forget(b);
		}
		map_free(&all.by_key, NULL);
	}
}
