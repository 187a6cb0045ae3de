/*
 * Names for groups of hosts: the site, the same for every domain with the
 * same MX hosts in the same order, and the provider who runs them.
 */
#ifndef RESOLVD_SITE_KEY_H
#define RESOLVD_SITE_KEY_H

#include "attr.h"
#include "mx.h"

#define SITE_SIZE 256

/* Sets of hosts are spelled out up to this length, else hashed. */
#define SITE_READABLE_MAX 80

/*
 * The site of hosts as mx_read gives them: names with commas between equals
 * and semicolons between preferences, whose numbers do not matter; when that
 * is long, the first name, '+' and 16 hex digits of its SHA-256.
 */
void site_key(const struct mx_host *hosts, unsigned n, char dst[SITE_SIZE]);

/*
 * The provider by the best host's name: its last two labels; three where the
 * last but one is a usual second level of a country (co.uk, com.au ...). This
 * is a rule, not the public suffix list: whom it lumps together shares
 * limits, nothing else. Addresses and single labels are taken whole.
 */
void site_provider(const char *host, char dst[SITE_SIZE]);

#endif
