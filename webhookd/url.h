/*
 * The address of an endpoint, checked before anything is sent there.
 */
#ifndef WEBHOOKD_URL_H
#define WEBHOOKD_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "plan.h"
#include "str.h"

#define URL_PORTS_MAX 32
#define URL_HOST_SIZE 256

/* Ports that endpoints may have. */
struct url_ports {
	struct {
		uint16_t first, last;
	} range[URL_PORTS_MAX];
	unsigned n;
};

/* Reads "80 443 1024-65535". 0, -EINVAL, -E2BIG; *out untouched on error. */
int url_ports_parse(const char *list, struct url_ports *out) MUST_CHECK;

struct url {
	char *text;		  /* normal form: what libcurl gets */
	char host[URL_HOST_SIZE]; /* without brackets */
	uint16_t port;
	bool is_literal; /* host is an address */
	struct plan_address address;
};

/*
 * Reads a URL of an endpoint: https (http too if allowed), a host, a port of
 * the list, no user name, no control characters. Numbers that stand for IPv4
 * addresses in odd spellings become what they mean. Returns 0, and url_fini
 * frees it; -EINVAL, with *why saying what is wrong (a literal).
 */
int url_parse(struct str text, bool allow_http, const struct url_ports *ports,
    struct url *out, const char **why) MUST_CHECK;
void url_fini(struct url *u);

#endif
