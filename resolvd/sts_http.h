/*
 * The child's part of a fetch: libcurl, which is kept from everything but the
 * addresses it was given. To be run in a cage only.
 */
#ifndef RESOLVD_STS_HTTP_H
#define RESOLVD_STS_HTTP_H

#include <curl/curl.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

struct sts_http {
	const char *host;
	uint16_t port;
	const char *resolve; /* "host:port:address,address" */
	X509_STORE *store;   /* certificates of authorities */
	uint64_t time_us;
	size_t size_max; /* of the policy, bytes */
	CURLM *multi;	 /* of sts_http_prepare */
};

/* A result begins with one of these; the policy's text, or why not. */
#define STS_HTTP_TEXT '+'
#define STS_HTTP_ERROR '-'

/* What needs a socket pair, before the child is confined. */
void sts_http_prepare(void *http);

/* Fetches; *out is empty before. */
void sts_http_run(const void *http, struct buf *out);

#endif
