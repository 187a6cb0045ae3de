/*
 * HTTP requests by libcurl on our loop. libcurl never resolves a name, never
 * follows a redirect, knows no proxy but webhook_proxy, and connects only
 * where addr_filter allows, or to that proxy.
 */
#ifndef WEBHOOKD_POST_H
#define WEBHOOKD_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "addr_filter.h"
#include "attr.h"
#include "buf.h"
#include "str.h"

struct post;

struct post_result {
	int status;		/* of HTTP; 0: there was none */
	const char *error;	/* for people; NULL when status says it all */
	struct str retry_after; /* value of the field, or empty */
};

typedef void post_fn(void *arg, const struct post_result *r);

struct post_request {
	const char *url;
	const char *resolve; /* "host:port:address,..."; NULL: a literal */
	unsigned turn;	     /* a proxy is told this one of the addresses */
	const char *type;    /* of the content */
	struct buf *body;    /* emptied */
	const char *const *fields; /* further header fields, ends with NULL */
	post_fn *fn; /* called once, never from within post_start */
	void *arg;
};

/*
 * Before the sandbox: reads the authorities' certificates and makes what
 * libcurl would open files for. fatal() on error.
 */
void post_init(const char *ca_file, const struct addr_nets *allow);
void post_stop(void);

/* Never NULL. */
struct post *post_start(const struct post_request *r);
/* Ends it without a call. *p becomes NULL; NULL is allowed. */
void post_cancel(struct post **p);

/* Requests under way. */
unsigned post_count(void);

#endif
