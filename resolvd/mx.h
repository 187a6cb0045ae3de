/*
 * The MX hosts of a domain (RFC 5321 section 5.1, RFC 7505).
 */
#ifndef RESOLVD_MX_H
#define RESOLVD_MX_H

#include "ask.h"
#include "attr.h"
#include "plan.h"
#include "resolvd.h"

struct mx_host {
	uint16_t pref;
	char name[DOMAIN_NAME_MAX + 1];
};

/*
 * What a domain's MX records say: hosts by preference, then by name, each
 * once, PLAN_HOSTS_MAX at most. Without MX records the domain is its own
 * host: is_implicit; whether it has an address is not looked at.
 */
struct mx {
	enum dns_status status;
	bool is_secure;
	bool is_implicit;
	uint32_t ttl_s;
	unsigned n;
	struct mx_host *hosts;
	char reason[REASON_SIZE]; /* unless OK */
};

/*
 * Reads the answer to a question for the MX of domain. Hosts as good as own,
 * the name of this system, or worse are dropped: mail for them would come
 * back; if nothing is left the status is DNS_LOOP. mx_fini frees *out.
 */
void mx_read(const struct answer *a, const char *domain, const char *own,
    struct mx *out);
void mx_fini(struct mx *m);

#endif
