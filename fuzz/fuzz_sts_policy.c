#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "sts_line.h"

/* Written to the file, a policy reads as the same. */
static void
check_line(struct sts_known *k)
{
	struct buf once = { 0 };
	struct buf twice = { 0 };
	struct sts_known again;
	int r;

	sts_line_put(&once, k);
	assert(memchr(once.p, '\n', once.len) == once.p + once.len - 1);
	r = sts_line_parse(
	    (struct str){ (const char *)once.p, once.len - 1 }, &again);
	assert(r == 0);
	sts_line_put(&twice, &again);
	assert(str_eq(buf_str(&once), buf_str(&twice)));
	sts_policy_fini(&again.policy);
	buf_fini(&once);
	buf_fini(&twice);
}

static void
check_failure(const char *domain, const struct sts_failure *f)
{
	char name[DOMAIN_NAME_MAX + 1];
	struct buf line = { 0 };
	struct sts_failure again;
	int r;

	sts_failure_put(&line, domain, f);
	r = sts_failure_parse(
	    (struct str){ (const char *)line.p, line.len - 1 }, name, &again);
	assert(r == 0 && strcmp(name, domain) == 0);
	assert(strcmp(again.error, f->error) == 0 && again.n == f->n);
	buf_fini(&line);
}

/* A name that stands in a policy as it is, is one of its hosts. */
static void
check_names(const struct sts_policy *p)
{
	struct str rest = buf_str(&p->mx);
	struct str name;

	while (str_split(&rest, ',', &name)) {
		assert(name.len > 0);
		assert(name.p[0] == '*' || sts_policy_has(p, name));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct sts_known k = { .domain = "example.com", .id = "1" };
	char domain[DOMAIN_NAME_MAX + 1];
	const char *why = NULL;
	struct sts_failure f;

	if (size == 0) {
		return 0;
	}
	if (sts_policy_parse(in, &k.policy, &why) == 0) {
		assert(k.policy.max_age_s <= STS_MAX_AGE_S);
		check_names(&k.policy);
		check_line(&k);
		sts_policy_fini(&k.policy);
	} else {
		assert(why != NULL);
	}
	if (sts_line_parse(in, &k) == 0) {
		check_line(&k);
		sts_policy_fini(&k.policy);
	}
	if (sts_failure_parse(in, domain, &f) == 0) {
		check_failure(domain, &f);
	}
	return 0;
}
