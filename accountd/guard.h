/*
 * Failed logins by account: beyond a limit, logins to it are answered late,
 * but not those from networks that a good key of the account was used from, so
 * that whoever guesses does not lock the owner out. Nothing is refused here,
 * and nothing is kept for accounts that nobody guesses at. Pure but for the
 * memory; guarded.c joins it with the clock and the keys.
 */
#ifndef ACCOUNTD_GUARD_H
#define ACCOUNTD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

struct guard;

/* Never NULL. */
struct guard *guard_new(void);
void guard_free(struct guard **g); /* NULL allowed */

/*
 * A login to the account failed. time_us: without failures for so long, they
 * are forgotten. Returns how many there are.
 */
unsigned guard_fail(
    struct guard *g, uint32_t account, uint64_t now_us, uint64_t time_us);

/* Has the account so many failures of late? limit 0: never. */
bool guard_is_pressed(const struct guard *g, uint32_t account, unsigned limit,
    uint64_t now_us, uint64_t time_us);

/* The networks of an account with failures: are they known (asked for)? */
bool guard_has_networks(const struct guard *g, uint32_t account);

/*
 * A good key of the account was used from the network of this address: /24 of
 * IPv4, /64 of IPv6. Only remembered while there are failures; STR("") says
 * that those of the past have all been told.
 */
void guard_good(struct guard *g, uint32_t account, struct str ip);

/* Was it? What is no address is in no network. */
bool guard_is_good(const struct guard *g, uint32_t account, struct str ip);

/* Forgets the accounts without failures of late. */
void guard_sweep(struct guard *g, uint64_t now_us, uint64_t time_us);

#endif
