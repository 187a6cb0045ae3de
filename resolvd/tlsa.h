/*
 * TLSA records for a host of a plan (RFC 6698, RFC 7672).
 */
#ifndef RESOLVD_TLSA_H
#define RESOLVD_TLSA_H

#include "ask.h"
#include "attr.h"
#include "plan.h"

/* Longer certificates and keys are none that a server shows, bytes. */
#define TLSA_DATA_MAX 4096

/*
 * Puts what the answer says into h, which points into the answer then. An
 * answer that is not validated counts as none (RFC 7672 section 2.1.1); one
 * that failed is DNS_TEMPORARY, and the host must be left alone. DNS_OK
 * without records: there are some, but none that is well formed.
 */
void tlsa_read(const struct answer *a, struct plan_host *h);

#endif
