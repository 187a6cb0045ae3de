/*
 * Which addresses mail may be sent to. A stranger owns the recipient's domain,
 * and what it names may be this machine, which would be a loop, or something
 * inside that no stranger should reach.
 */
#ifndef DELIVER_REACH_H
#define DELIVER_REACH_H

#include <stddef.h>

#include "plan.h"
#include "route.h"

/* Learns smtp_address_policy, smtp_allow_networks and the addresses of
 * smtpd_listen; before the process is confined. Ends it on a mistake. */
void reach_init(void);
void reach_fini(void);

/*
 * Takes out of a route with its hosts, by preference, those that are not
 * better than this system (RFC 5321 section 5.1), and, unless it is fixed, the
 * addresses that smtp_address_policy refuses. Returns DNS_OK; DNS_LOOP or
 * DNS_NOT_PUBLIC when nothing is left, and why in reason (size bytes).
 */
enum dns_status reach_limit(struct route *r, char *reason, size_t size);

#endif
