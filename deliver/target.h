/*
 * In which order the addresses of a route are tried.
 */
#ifndef DELIVER_TARGET_H
#define DELIVER_TARGET_H

#include <stdint.h>

#include "route.h"

#define TARGETS_MAX 50 /* as smtp_mx_address_limit */

/* An address of a route: numbers of host and address. */
struct target {
	uint8_t host;
	uint8_t address;
};

enum target_family { TARGET_ANY = 0, TARGET_V4 = 4, TARGET_V6 = 6 };

struct target_rule {
	enum target_family first; /* tried before the other one */
	enum target_family only;  /* of a source address */
	unsigned max;		  /* at most TARGETS_MAX */
};

/* A random number; arg as given. */
typedef uint32_t target_random_fn(void *arg);

/*
 * Writes the addresses to try, best first, and returns how many. Hosts go by
 * preference (RFC 5321 section 5.1); among equals, and among the addresses of
 * one family, chance decides. Families take turns within a preference, so
 * that one that does not work costs at most every second try.
 */
unsigned target_order(const struct route *r, const struct target_rule *rule,
    target_random_fn *random, void *arg, struct target *out);

#endif
