#include "suppress_times.h"

#include <errno.h>
#include <string.h>

#include "conf.h"
#include "expiry.h"

static int
add_step(void *arg, const char *p, size_t len)
{
	struct suppress_steps *s = arg;
	struct str word = { p, len };
	uint64_t us = 0;

	if (s->n == SUPPRESS_STEPS_MAX) {
		return -E2BIG;
	}
	/* A span as of the time 0 is its length; a date is none. */
	if (!str_is(word, "never") &&
	    (memchr(p, '-', len) != NULL || expiry_parse(word, 0, &us) < 0)) {
		return -EINVAL;
	}
	s->us[s->n++] = us;
	return 0;
}

int
suppress_steps_parse(const char *list, struct suppress_steps *out)
{
	int r;

	*out = (struct suppress_steps){ .n = 0 };
	r = conf_list_each(list, add_step, out);
	return r == 0 && out->n == 0 ? -EINVAL : r;
}

uint64_t
suppress_until(const struct suppress_times *t, enum suppression_reason reason,
    uint32_t nth, uint64_t time_us)
{
	const struct suppress_steps *s = &t->of[reason];
	uint64_t us;

	if (s->n == 0) {
		return 0;
	}
	us = s->us[nth > s->n ? s->n - 1 : nth - 1];
	return us == 0 ? 0 : time_us + us;
}
