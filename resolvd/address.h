/*
 * The addresses of a name: A and AAAA, asked for at the same time.
 */
#ifndef RESOLVD_ADDRESS_H
#define RESOLVD_ADDRESS_H

#include "ask.h"
#include "attr.h"
#include "plan.h"
#include "resolvd.h"

typedef void address_fn(void *arg);

/* A search for addresses. The owner keeps it, zeroed at first. */
struct address {
	enum dns_status status; /* OK NXDOMAIN NO_ADDRESS TEMPORARY */
	bool is_secure;		/* all addresses are validated */
	uint8_t n;
	uint32_t ttl_s;
	struct plan_address list[PLAN_ADDRESSES_MAX];
	char reason[REASON_SIZE];	 /* unless OK */
	char alias[DOMAIN_NAME_MAX + 1]; /* where it leads; empty: is none */

	char name[DOMAIN_NAME_MAX + 1];
	struct ask a;
	struct ask aaaa;
	unsigned n_pending;
	struct loop_defer defer;
	address_fn *fn;
	void *arg;
};

/*
 * Looks the name up; fn(arg) is called once, never from within, unless
 * address_end comes first. An address as text is its own address, localhost
 * and what is below it has the loopback ones (RFC 6761 section 6.3).
 */
void address_start(
    struct address *x, const char *name, address_fn *fn, void *arg);
void address_end(struct address *x);

/*
 * What both answers say about x->name. One family suffices; if none has an
 * address and one answer is missing, the result is temporary. Of too many
 * addresses each family keeps its share.
 */
void address_read(
    struct address *x, const struct answer *a, const struct answer *aaaa);

/* Is it among them? */
bool address_has(const struct address *x, const struct plan_address *ip);

/* Text to address. Returns 0 or -EBADMSG. */
int address_parse(struct str text, struct plan_address *out) MUST_CHECK;

/* Where its PTR records are (RFC 1035 section 3.5, RFC 3596 section 2.5). */
#define ADDRESS_REVERSE_SIZE 74
void address_reverse(
    const struct plan_address *a, char dst[ADDRESS_REVERSE_SIZE]);

/* As one host of a plan. */
void address_to_host(const struct address *x, struct plan_host *h);

#endif
