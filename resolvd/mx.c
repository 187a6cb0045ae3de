#include "mx.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "reason.h"

static int
compare(const void *a, const void *b)
{
	const struct mx_host *x = a;
	const struct mx_host *y = b;

	if (x->pref != y->pref) {
		return x->pref < y->pref ? -1 : 1;
	}
	return strcmp(x->name, y->name);
}

static bool
has_host(const struct mx *m, const char *name)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (strcmp(m->hosts[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* All records that name a host, sorted; returns how many. */
static unsigned
sort(const struct packet *k, struct mx_host *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->n; i++) {
		struct str name = packet_data(k, i);

		if (domain_is_valid(name.p, name.len, DOMAIN_UNDERSCORE)) {
			out[n].pref = k->records[i].pref;
			str_copy(out[n].name, sizeof(out[n].name), name);
			n++;
		}
	}
	if (n > 1) {
		qsort(out, n, sizeof(*out), compare);
	}
	return n;
}

/* RFC 5321 section 5.1: hosts that are not better than us are no way out. */
static unsigned
drop_loops(const struct mx_host *all, unsigned n, const char *own)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcasecmp(all[i].name, own) == 0) {
			unsigned keep = i;

			while (keep > 0 && all[keep - 1].pref == all[i].pref) {
				keep--;
			}
			return keep;
		}
	}
	return n;
}

static void
take_hosts(const struct mx_host *all, unsigned n, struct mx *m)
{
	m->hosts = mem_alloc(PLAN_HOSTS_MAX * sizeof(*m->hosts));
	for (unsigned i = 0; i < n && m->n < PLAN_HOSTS_MAX; i++) {
		if (!has_host(m, all[i].name)) {
			m->hosts[m->n++] = all[i];
		}
	}
}

static bool
is_null(const struct packet *k)
{
	return k->n == 1 && k->n_bad == 0 && k->records[0].len == 0;
}

static void
read_records(
    const struct answer *a, const char *domain, const char *own, struct mx *m)
{
	const struct packet *k = &a->packet;
	autofree struct mx_host *all = NULL;
	unsigned n, left;

	if (is_null(k)) {
		m->status = DNS_NULL_MX;
		(void)snprintf(m->reason, sizeof(m->reason),
		    "Domain %s does not accept mail (nullMX)", domain);
		return;
	}
	if (k->n == 0) {
		m->status = DNS_TEMPORARY;
		m->ttl_s = TTL_TEMPORARY_S;
		reason_of_answer(m->reason, domain, "MX", a);
		return;
	}
	all = mem_alloc(k->n * sizeof(*all));
	n = sort(k, all);
	left = drop_loops(all, n, own);
	if (n == 0) {
		m->status = DNS_NO_ADDRESS;
		(void)snprintf(m->reason, sizeof(m->reason),
		    "no MX record of %s names a host", domain);
	} else if (left == 0) {
		m->status = DNS_LOOP;
		(void)snprintf(m->reason, sizeof(m->reason),
		    "mail for %s loops back to myself", domain);
	} else {
		take_hosts(all, left, m);
	}
}

static void
set_implicit(const char *domain, const char *own, struct mx *m)
{
	if (strcasecmp(domain, own) == 0) {
		m->status = DNS_LOOP;
		(void)snprintf(m->reason, sizeof(m->reason),
		    "mail for %s loops back to myself", domain);
		return;
	}
	m->is_implicit = true;
	m->hosts = mem_alloc(sizeof(*m->hosts));
	m->n = 1;
	str_copy(m->hosts[0].name, sizeof(m->hosts[0].name), str_of(domain));
}

void
mx_read(
    const struct answer *a, const char *domain, const char *own, struct mx *out)
{
	struct mx m = { .status = DNS_OK,
		.is_secure = a->is_secure,
		.ttl_s = a->packet.ttl_s };

	switch (a->status) {
	case ANSWER_DATA:
		read_records(a, domain, own, &m);
		break;
	case ANSWER_NODATA:
		set_implicit(domain, own, &m);
		break;
	case ANSWER_NXDOMAIN:
		m.status = DNS_NXDOMAIN;
		reason_of_answer(m.reason, domain, "MX", a);
		break;
	case ANSWER_TEMPORARY:
		m.status = DNS_TEMPORARY;
		m.ttl_s = TTL_TEMPORARY_S;
		reason_of_answer(m.reason, domain, "MX", a);
		break;
	}
	*out = m;
}

void
mx_fini(struct mx *m)
{
	free(m->hosts);
	*m = (struct mx){ 0 };
}
