#include "param.h"

#include <string.h>

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

#define NAME_MAX_LEN 64

/* Levenshtein's distance; names are short. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1];
	size_t n = strlen(b);

	for (unsigned j = 0; j <= n; j++) {
		row[j] = j;
	}
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j], best = diagonal;

			best += a[i - 1] != b[j - 1];
			best = above + 1 < best ? above + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[n];
}

const char *
param_nearest(const char *name)
{
	const char *best = NULL;
	unsigned least = 8;

	if (strlen(name) > NAME_MAX_LEN) {
		return NULL;
	}
	for (size_t i = 0; i < n_params; i++) {
		unsigned d = strlen(params[i].name) <= NAME_MAX_LEN
		    ? distance(name, params[i].name)
		    : least;

		if (d < least) {
			least = d;
			best = params[i].name;
		}
	}
	return best;
}
