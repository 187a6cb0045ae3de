#include "reason.h"

#include <stdio.h>

#include "resolvd.h"

void
reason_of_answer(
    char *dst, const char *name, const char *type, const struct answer *a)
{
	static const char begin[] = "Host or domain name not found. "
				    "Name service error for";

	switch (a->status) {
	case ANSWER_NXDOMAIN:
		(void)snprintf(dst, REASON_SIZE,
		    "%s name=%s type=%s: Host not found", begin, name, type);
		break;
	case ANSWER_NODATA:
		(void)snprintf(dst, REASON_SIZE,
		    "%s name=%s type=%s: Host found but no data record of "
		    "requested type",
		    begin, name, type);
		break;
	case ANSWER_DATA: /* all of it malformed */
		(void)snprintf(dst, REASON_SIZE,
		    "%s name=%s type=%s: Malformed or unexpected name server "
		    "reply",
		    begin, name, type);
		break;
	case ANSWER_TEMPORARY:
		(void)snprintf(dst, REASON_SIZE,
		    "%s name=%s type=%s: Host not found, try again (%s)", begin,
		    name, type, a->reason);
		break;
	}
}
