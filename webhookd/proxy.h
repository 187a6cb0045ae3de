/*
 * The proxy between us and all endpoints (webhook_proxy), which is asked to
 * CONNECT (RFC 9110 section 9.3.6) for http endpoints too.
 */
#ifndef WEBHOOKD_PROXY_H
#define WEBHOOKD_PROXY_H

#include <curl/curl.h>
#include <stdbool.h>

#include "attr.h"
#include "ipc.h"

/* fatal() when the parameter is not the URL of a proxy. */
void proxy_init(void);
void proxy_stop(void);

bool proxy_is_used(void);
/* Whether its address is known; proxy_host is to be asked for otherwise. */
bool proxy_is_known(void);
const char *proxy_host(void);
/* resolvd's answer. NULL, or what is wrong with it, in error. */
const char *proxy_take(
    const struct ipc_addr_rep *m, char *error, size_t size) MUST_CHECK;

/* "host:port:address,..." for libcurl; NULL: its URL has an address. */
const char *proxy_resolve(void);

/*
 * Sends the request through it. resolve: the endpoint's checked addresses as
 * lookup_format has them, one of which the proxy is told; NULL: the URL's
 * host as it is. connect_to belongs to the caller until the request ends.
 */
void proxy_set(CURL *e, const char *resolve, unsigned turn,
    struct curl_slist **connect_to);

#endif
