/*
 * RFC 7208 by libspf2, on a table of answers. To be run in a cage only.
 */
#ifndef RESOLVD_SPF_EVAL_H
#define RESOLVD_SPF_EVAL_H

#include "attr.h"
#include "spf_table.h"

/* What comes out of the cage is never longer, bytes. */
#define SPF_RESULT_MAX 4096

struct spf_job {
	const struct spf_table *table;
	struct plan_address ip;
	const char *sender; /* mailbox of MAIL FROM */
	const char *own;    /* name of this system */
};

/*
 * Evaluates. When the table lacks an answer the verdict is SPF_QUESTION, and
 * *out names the first one that is missing.
 */
void spf_eval(const struct spf_job *job, struct spf_outcome *out);

#endif
