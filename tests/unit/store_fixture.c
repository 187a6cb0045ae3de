#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

struct store *
fixture_open(const char *path, uint64_t min_free)
{
	const struct store_options o = { .directory = path,
		.cache_size = 1 << 20,
		.checkpoint_bytes = 1 << 20,
		.min_free = min_free,
		.filter_bytes = 1 << 20 };
	struct store *s = NULL;
	struct buf error = { 0 };

	assert_int_equal(store_open(&o, &s, &error), 0);
	return s;
}

int
fixture_setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	loop_init();
	snprintf(f->path, sizeof(f->path), "/tmp/test_accountd.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->store = fixture_open(f->path, 0);
	*state = f;
	return 0;
}

int
fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_close(&f->store);
	snprintf(command, sizeof(command), "rm -r %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	loop_fini();
	return 0;
}
