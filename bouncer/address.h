/* Mail addresses in foreign text. */
#ifndef BOUNCER_ADDRESS_H
#define BOUNCER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/*
 * The next address (local@domain with a dot in the domain) in text from *at
 * on. On success *at is behind it. Allocates nothing; *out points into text.
 */
bool address_next(struct str text, size_t *at, struct str *out);

/*
 * The address in a field's value: after "type;", with or without angle
 * brackets; anything of one word is taken as it is. False for none ("<>").
 */
bool address_of_field(struct str value, struct str *out);

/* Compares as mail systems do in practice: without case. */
bool address_eq(struct str a, struct str b);

/* Is it an address that no customer's message goes to: postmaster,
 * mailer-daemon and the like? */
bool address_is_role(struct str address);

/* The part before (behind) the last @. */
struct str address_local(struct str address);
struct str address_domain(struct str address);

#endif
