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
 * The endpoint's address, and that of webhook_proxy.
 * Returns 1: h->resolve is good (or not needed); 0: asked, and
 * fn(id of h, error) comes later, error NULL when it is good now; -EPERM: the
 * address is not allowed; -EPIPE: resolvd is not there.
 */
int lookup(
    struct hook *h, void (*fn)(uint32_t hook, const char *error)) MUST_CHECK;

/*
 * Takes resolvd's answer about a URL's host: *resolve (freed before) becomes
 * what lookup_format makes, *until_us (monotonic) its end. allow NULL: any
 * address is. Returns 0; -EINVAL with text for people in error, and nothing
 * else is changed.
 */
int lookup_take(const struct url *u, const struct ipc_addr_rep *m,
    const struct addr_nets *allow, char **resolve, uint64_t *until_us,
    char *error, size_t size) MUST_CHECK;

/*
 * "host:port:address,address" of the allowed addresses in an encoded plan.
 * Returns how many there are; *out stays empty for none. allow NULL: any is.
 */
unsigned lookup_format(struct buf *out, const char *host, uint16_t port,
    struct str plan, const struct addr_nets *allow);

#endif
