#include "soon.h"

#include "clock.h"
#include "plog.h"
#include "segments.h"
#include "service.h"
#include "session.h"

static struct session *newest; /* by their last activity */

static void
unlink_from(struct session *s)
{
	if (s->soon.newer != NULL) {
		s->soon.newer->soon.older = s->soon.older;
	} else {
		newest = s->soon.older;
	}
	if (s->soon.older != NULL) {
		s->soon.older->soon.newer = s->soon.newer;
	}
	s->soon = (struct session_soon){ 0 };
}

void
soon_touch(struct session *s)
{
	if (s->soon.is_in && newest != s) {
		unlink_from(s);
	}
	if (!s->soon.is_in) {
		s->soon.is_in = true;
		s->soon.older = newest;
		if (newest != NULL) {
			newest->soon.newer = s;
		}
		newest = s;
	}
	s->soon.active_us = clock_mono_us();
}

void
soon_leave(struct session *s)
{
	if (s->soon.is_in) {
		unlink_from(s);
		plog_writer_look(segments_log());
	}
}

unsigned
soon_expected(void *arg)
{
	/* Whoever is silent for as long as anybody may wait is not near. */
	uint64_t limit = conf()->spool_sync_wait;

	(void)arg;
	return newest != NULL &&
	    clock_mono_us() - newest->soon.active_us <= limit;
}
