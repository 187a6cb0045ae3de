/*
 * Results: what became of each recipient of a job. Each is kept until qmgr
 * has it in the journal, and told again to a new qmgr.
 */
#ifndef DELIVER_RESULT_H
#define DELIVER_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "facts.h"
#include "job.h"
#include "peer.h"
#include "str.h"

/*
 * Ends the job: a result for each recipient by its verdict, then the job is
 * freed. facts: NULL without a connection. transcript: of failed attempts.
 */
void result_job(
    struct job **j, const struct facts *facts, struct str transcript);

/* Ends the job with one verdict for all that have none yet. */
void result_job_all(struct job **j, const struct verdict *v,
    const struct facts *facts, struct str transcript);

/* Gives the job back: none of its recipients was tried. */
void result_return(struct job **j);

/* Up to seq qmgr has them. */
void result_ack(uint64_t seq);

/* Sends everything that is not acknowledged to a new qmgr. */
void result_resend(struct peer *qmgr);

uint64_t result_last_seq(void);
size_t results_pending(void);
void results_fini(void);

#endif
