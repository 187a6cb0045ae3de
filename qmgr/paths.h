/*
 * Shaping and the state of paths in the shell: names on their way into the
 * core, results on their way to it, and the path_state facts that make both
 * outlive a restart.
 */
#ifndef QMGR_PATHS_H
#define QMGR_PATHS_H

#include <stdint.h>

#include "core_out.h"
#include "core_view.h"
#include "event.h"
#include "ipc.h"
#include "shaping.h"

struct qmgr;

/* Takes conf; NULL: the built-in one. Before any site is named. */
void paths_init(struct qmgr *q, struct shaping *conf);
/* The core is a new one; all is forgotten. */
void paths_restart(struct qmgr *q);
/* Effects end by themselves from here on. */
void paths_run(struct qmgr *q);
void paths_fini(struct qmgr *q);

/* ---- names -------------------------------------------------------------- */

/* core_site, with the site's limits and what an earlier run knew of it. */
uint32_t paths_site(struct qmgr *q, struct str site);
/* The source of this address; the default one, when it is ours no more. */
uint32_t paths_source_at(const struct qmgr *q, struct str ip);
/* The provider's number or CORE_NONE; known: what resolvd says. */
uint32_t paths_provider(struct qmgr *q, struct str site, struct str known);
/* resolvd's answer. */
void paths_domain(struct qmgr *q, struct str domain, struct str site);
/* A source became known to the core. */
void paths_source(struct qmgr *q, uint32_t source);

/* ---- results ------------------------------------------------------------ */

/* What rules add to a result; lives as long as the result is looked at. */
struct paths_answer {
	struct core_path_view before; /* core_result */
	bool has_path;
	uint32_t requeue_s;
	const uint32_t *retry_s;
	uint32_t nretry;
	char enh[17]; /* r->smtp_enh may be here */
};

/*
 * The rules have their say on a result before the core: r's class and outcome
 * may change. path: the job's, or CORE_NONE for a job of an earlier run.
 */
void paths_result(struct qmgr *q, uint32_t path, struct ipc_result *r,
    struct paths_answer *out);
/* After core_result: writes how the path has changed. */
void paths_changed(struct qmgr *q, const struct paths_answer *a);

/* ---- facts -------------------------------------------------------------- */

/* Recovery. */
void paths_restore(struct qmgr *q, const struct event_path_state *e);
/* Everything as of now, for a checkpoint. */
void paths_collect(struct qmgr *q,
    void (*put)(struct qmgr *q, enum event_type type, const void *event));

/* ---- tools -------------------------------------------------------------- */

struct shape;
struct shape *paths_shape(const struct qmgr *q);
/* A command has changed effects: the core and the timer follow. */
void paths_wake(struct qmgr *q);

#endif
