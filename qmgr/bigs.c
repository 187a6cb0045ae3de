#include "bigs.h"

#include <errno.h>
#include <fcntl.h>

#include "buf.h"
#include "map.h"
#include "segs.h"

struct bigs {
	struct map *by_number;
};

struct bigs *
bigs_new(void)
{
	struct bigs *b = mem_alloc(sizeof(*b));

	b->by_number = map_new();
	return b;
}

static void
big_free(void *value)
{
	struct big *g = value;

	(void)close(g->fd);
	free(g);
}

void
bigs_free(struct bigs **bp)
{
	struct bigs *b = *bp;

	if (b == NULL) {
		return;
	}
	*bp = NULL;
	map_free(&b->by_number, big_free);
	free(b);
}

struct big *
bigs_find(const struct bigs *b, uint64_t number)
{
	return map_get_u64(b->by_number, number);
}

int
bigs_use(struct bigs *b, uint64_t number, struct big **out)
{
	struct big *g = bigs_find(b, number);
	char path[SEG_PATH_SIZE];
	int fd;

	if (g == NULL) {
		big_path(number, path);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0) {
			return -errno;
		}
		g = mem_alloc(sizeof(*g));
		g->number = number;
		g->fd = fd;
		(void)map_put_u64(b->by_number, number, g);
	}
	g->jobs++;
	*out = g;
	return 0;
}

bool
bigs_unuse(struct big *g)
{
	bug_on(g->jobs == 0);
	return --g->jobs == 0;
}

void
bigs_close(struct bigs *b, struct big *g)
{
	(void)map_del_u64(b->by_number, g->number);
	big_free(g);
}

void
bigs_forget_deliver(struct bigs *b, unsigned index)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(b->by_number, &at, &key, &value)) {
		struct big *g = value;

		g->delivers &= ~(1ULL << index);
	}
}

void
bigs_forget_bouncer(struct bigs *b)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(b->by_number, &at, &key, &value)) {
		struct big *g = value;

		g->is_with_bouncer = false;
	}
}
