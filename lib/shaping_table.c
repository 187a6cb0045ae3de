#include <string.h>

#include "shaping_impl.h"

const struct shaping_section *
shaping_section(
    const struct shaping *s, enum shaping_kind kind, struct str name)
{
	for (size_t i = 0; i < s->n_sections; i++) {
		if (s->sections[i]->kind == kind &&
		    str_eq_case(str_of(s->sections[i]->name), name)) {
			return s->sections[i];
		}
	}
	return NULL;
}

const struct shaping_backoff *
shaping_backoff(const struct shaping *s, struct str name)
{
	for (size_t i = 0; i < s->n_backoffs; i++) {
		if (str_is(name, s->backoffs[i]->name)) {
			return s->backoffs[i];
		}
	}
	return NULL;
}

/* Whole labels: "outlook.com" fits "x.outlook.com", not "xoutlook.com". */
static bool
is_suffix(struct str host, const char *suffix)
{
	size_t n = strlen(suffix);
	struct str end;

	if (n > host.len) {
		return false;
	}
	end = (struct str){ host.p + host.len - n, n };
	return str_eq_case(end, str_of(suffix)) &&
	    (n == host.len || suffix[0] == '.' || end.p[-1] == '.');
}

const struct shaping_section *
shaping_provider(const struct shaping *s, struct str host)
{
	const struct shaping_section *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < s->n_sections; i++) {
		const struct shaping_section *n = s->sections[i];

		for (size_t k = 0; k < n->n_mx; k++) {
			size_t len = strlen(n->mx[k]);

			if (len > longest && is_suffix(host, n->mx[k])) {
				longest = len;
				best = n;
			}
		}
	}
	return best;
}

void
shaping_free(struct shaping **s)
{
	struct shaping *t = *s;

	if (t == NULL) {
		return;
	}
	for (size_t i = 0; i < t->n_sections; i++) {
		struct shaping_section *n = t->sections[i];

		for (size_t k = 0; k < n->n_rules; k++) {
			shaping_rule_free(n->rules[k]);
		}
		for (size_t k = 0; k < n->n_mx; k++) {
			free(n->mx[k]);
		}
		free(n->rules);
		free(n->mx);
		free(n->name);
		free(n->backoff_name);
		free(n);
	}
	for (size_t i = 0; i < t->n_backoffs; i++) {
		free(t->backoffs[i]->name);
		free(t->backoffs[i]);
	}
	free(t->sections);
	free(t->backoffs);
	free(t->path);
	free(t);
	*s = NULL;
}
