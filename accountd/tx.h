/*
 * The verdict on a message, as tx_rep gives it and pbexplain(1) shows it.
 */
#ifndef ACCOUNTD_TX_H
#define ACCOUNTD_TX_H

#include "buf.h"
#include "ipc.h"
#include "verdict.h"

struct tx_judged {
	struct verdict_input in; /* the records it was made of */
	struct verdict v;
	uint32_t sub; /* subaccount; 0: none */
	/* Bit r % 8 of byte r / 8 is set when recipient r must not get mail;
	 * a reason for each of these. */
	struct buf suppressed; /* empty: none */
	struct buf reasons;
};

/* Texts point into the request and the model. Ends with tx_judged_fini. */
void tx_judge(const struct ipc_tx_req *m, struct tx_judged *out);
void tx_judged_fini(struct tx_judged *j);

#define TX_RETURN_DOMAIN_SIZE 320

/* The domain of the return path; "": the sender stays as it is. */
void tx_return_domain(const struct verdict *v, char *dst);

#endif
