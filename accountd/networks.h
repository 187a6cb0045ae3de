/*
 * Lists of client networks, "192.0.2.0/24 2001:db8::/32", that limit a key.
 */
#ifndef ACCOUNTD_NETWORKS_H
#define ACCOUNTD_NETWORKS_H

#include <stdbool.h>

#include "attr.h"
#include "str.h"

/*
 * Is every word, parted by commas or blanks, an address or address/bits, with
 * no bit set behind the prefix? Returns 0, or -EINVAL with the word at fault
 * in *bad.
 */
int networks_check(struct str list, struct str *bad) MUST_CHECK;

/*
 * Is the address in one of the networks? An IPv4 address counts as the same
 * in its IPv6-mapped form. False for what is no address; an empty list
 * contains nothing.
 */
bool networks_contain(struct str list, struct str ip);

#endif
