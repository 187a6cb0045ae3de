/*
 * The addresses of an endpoint, asked of resolvd and filtered, in the form
 * that libcurl takes instead of resolving.
 */
#ifndef WEBHOOKD_LOOKUP_H
#define WEBHOOKD_LOOKUP_H

#include "addr_filter.h"
#include "attr.h"
#include "hook.h"

/* Networks that are allowed though private (webhook_allow_networks). */
void lookup_init(const struct addr_nets *allow);

/*
 * Returns 1: h->resolve is good (or the URL has an address); 0: asked, and
 * fn(id of h, error) comes later, error NULL when it is good now; -EPERM: the
 * address is not allowed; -EPIPE: resolvd is not there.
 */
int lookup(
    struct hook *h, void (*fn)(uint32_t hook, const char *error)) MUST_CHECK;

/*
 * "host:port:address,address" of the allowed addresses in an encoded plan.
 * Returns how many there are; *out stays empty for none.
 */
unsigned lookup_format(struct buf *out, const char *host, uint16_t port,
    struct str plan, const struct addr_nets *allow);

#endif
