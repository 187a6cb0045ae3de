/*
 * Why an address is on the list of those that get no mail. The names are
 * those that tenants see, in events and in pbsuppress(1).
 */
#ifndef LIB_SUPPRESSION_H
#define LIB_SUPPRESSION_H

#include "attr.h"
#include "str.h"

/* Stored in three bits of a recipient's notify (event.h). */
enum suppression_reason {
	SUPPRESSION_NONE = 0,
	SUPPRESSION_CUSTOM = 1, /* by hand */
	SUPPRESSION_HARD_BOUNCE = 2,
	SUPPRESSION_SOFT_BOUNCE = 3,
	SUPPRESSION_SPAM = 4, /* a complaint */
	SUPPRESSION_UNSUB = 5,
	SUPPRESSION_REASONS,
};

/* "custom", "hard-bounce" ...; "suppressed" for any other value. */
const char *suppression_name(unsigned reason);
/* -EINVAL when there is no such word. */
int suppression_parse(struct str name, enum suppression_reason *out) MUST_CHECK;

#endif
