/*
 * What became of one recipient in one attempt, before it is a result: from a
 * server's reply or from a failure of our own finding.
 */
#ifndef DELIVER_VERDICT_H
#define DELIVER_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "outcome.h"
#include "phase.h"
#include "plan.h"
#include "reply_class.h"
#include "smtp_reply.h"

#define VERDICT_TEXT_MAX 2048 /* bytes, as in attempt.def */

struct verdict {
	bool is_set;
	bool is_hard;
	uint8_t is_connect; /* enum connect_failure */
	uint8_t outcome;    /* enum outcome */
	uint8_t reason;	    /* enum reason */
	uint16_t code;	    /* 0: no reply */
	char enh[16];
	const char *command; /* what was answered; never NULL when set */
	char *text;	     /* owned; NULL: none */
	uint32_t text_len;
};

/* Frees the text and leaves an empty verdict. */
void verdict_fini(struct verdict *v);

/* Copies from to the empty verdict to. */
void verdict_copy(struct verdict *to, const struct verdict *from);

/* Reads bounce.cf, whose rules go first, or ends the process (fatal). */
void verdict_init(void);
void verdict_exit(void);

/*
 * From the reply of a host to the command of a phase. 2xx delivers, 4xx
 * defers, 5xx fails or, for a class worth it, defers; a rule of bounce.cf may
 * say otherwise of 4xx and 5xx. *v is empty before.
 */
void verdict_from_reply(struct verdict *v, enum phase phase, struct str host,
    const struct smtp_reply *reply);

/* A reply on which the whole host is left: always deferred, is_connect. */
void verdict_refused(struct verdict *v, enum phase phase, struct str host,
    const struct smtp_reply *reply);

/* No reply: enh is ours, such as "4.4.2"; the format gives the text. */
void verdict_local(struct verdict *v, enum outcome outcome, enum reason reason,
    const char *enh, const char *fmt, ...) PRINTF(5, 6);

/* A next hop that leads nowhere (status not DNS_OK). */
void verdict_dns(struct verdict *v, enum dns_status status,
    const char *next_hop, const char *reason);

#endif
