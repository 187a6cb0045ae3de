#include "suppression.h"

#include <errno.h>

static const char *const names[SUPPRESSION_REASONS] = {
	[SUPPRESSION_CUSTOM] = "custom",
	[SUPPRESSION_HARD_BOUNCE] = "hard-bounce",
	[SUPPRESSION_SOFT_BOUNCE] = "soft-bounce",
	[SUPPRESSION_SPAM] = "spam",
	[SUPPRESSION_UNSUB] = "unsub",
};

const char *
suppression_name(unsigned reason)
{
	return reason > 0 && reason < SUPPRESSION_REASONS ? names[reason]
							  : "suppressed";
}

int
suppression_parse(struct str name, enum suppression_reason *out)
{
	for (unsigned i = 1; i < SUPPRESSION_REASONS; i++) {
		if (str_is(name, names[i])) {
			*out = (enum suppression_reason)i;
			return 0;
		}
	}
	return -EINVAL;
}
