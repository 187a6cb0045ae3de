#include "param.h"

#include <string.h>

#include "str.h"

#include "ipc.h"

/* clang-format off */
const struct param params[] = {
#define PARAM(n, t, ...)                                                       \
	{ .name = #n, .type = PARAM_##t, .offset = offsetof(struct conf, n),   \
	  __VA_ARGS__ },
#include "param.def"
#undef PARAM
};
/* clang-format on */

const size_t n_params = array_len(params);

const struct param *
param_find(const char *name)
{
	for (size_t i = 0; i < n_params; i++) {
		if (strcmp(params[i].name, name) == 0) {
			return &params[i];
		}
	}
	return NULL;
}

const char *
param_nearest(const char *name)
{
	const char *best = NULL;
	unsigned least = 8;

	for (size_t i = 0; i < n_params; i++) {
		unsigned d = str_distance(name, params[i].name);

		if (d < least) {
			least = d;
			best = params[i].name;
		}
	}
	return best;
}
