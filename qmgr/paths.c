#include "paths.h"

#include "core_limits.h"
#include "core_name.h"
#include "qmgr.h"
#include "str.h"

void
paths_restore(struct qmgr *q, const struct event_path_state *e)
{
	struct core_limits l = { .is_paused = true };
	struct core_object site = { .level = CORE_LEVEL_SITE };

	if (e->site.len == 0 || !str_is(e->state, "suspended")) {
		return;
	}
	site.index = core_site(q->core, e->site, NULL);
	/* An end in the past ends it, which is right too. */
	if (core_limits_override(q->core, &site, &l, e->until_us) < 0) {
		return;
	}
}
