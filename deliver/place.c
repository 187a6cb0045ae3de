/*
 * Permissions to open a connection, which jobs bring from qmgr: each is used
 * by the job of the path that needs one first.
 */
#include "clock.h"
#include "path.h"

void
place_drop(struct job *j)
{
	if (j->may_open) {
		j->may_open = false;
		j->path->n_allowed--;
		path_touch(j->path);
	}
}

/* A job that waits and may not yet open a connection may do so now. */
void
place_give(struct path *p, uint64_t open_us)
{
	struct job *j = TAILQ_FIRST(&p->waiting);

	while (j != NULL && j->may_open) {
		j = TAILQ_NEXT(j, link);
	}
	if (j != NULL) {
		j->may_open = true;
		j->open_us = open_us;
		p->n_allowed++;
	}
}

/* It goes over a connection that there is. */
void
place_pass(struct job *j)
{
	if (j->may_open) {
		uint64_t open_us = j->open_us;

		place_drop(j);
		place_give(j->path, open_us);
	}
}

/* Whether a job of the path may open a connection; the first that waits has
 * the permission then. */
bool
place_find(struct path *p, struct job *first)
{
	struct job *j;
	uint64_t now = clock_mono_us();

	TAILQ_FOREACH (j, &p->waiting, link) {
		if (j->may_open && j->open_us != 0 && now > j->open_us) {
			place_drop(j);
		}
		if (j->may_open) {
			break;
		}
	}
	if (j == NULL) {
		return false;
	}
	j->may_open = false;
	first->may_open = true;
	first->open_us = j->open_us;
	return true;
}
