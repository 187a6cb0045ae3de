/*
 * A store of accountd in a directory of its own, with a loop, for each test.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <stdint.h>

#include "store.h"

struct fixture {
	char path[64];
	struct store *store; /* may be closed, and opened anew */
};

/* min_free: bytes that must be free for changes. */
struct store *fixture_open(const char *path, uint64_t min_free);

/* For cmocka; *state is the struct fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

#endif
