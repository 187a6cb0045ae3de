/*
 * ptr_req: does an address carry a name, and the name the address?
 */
#include <stdio.h>

#include "address.h"
#include "reason.h"

struct search {
	struct request request;
	struct plan_address ip;
	char ip_text[46];
	struct address forward;
	struct ask reverse;
	unsigned n_pending;
};

static void
search_free(struct request *r)
{
	struct search *s = container_of(r, struct search, request);

	address_end(&s->forward);
	ask_end(&s->reverse);
	free(s);
}

static enum check_status
check_forward(const struct search *s, char *reason)
{
	const struct address *x = &s->forward;

	switch (x->status) {
	case DNS_OK:
		if (address_has(x, &s->ip)) {
			return CHECK_OK;
		}
		(void)snprintf(reason, REASON_SIZE,
		    "%s has addresses, but not %s", x->name, s->ip_text);
		return CHECK_WRONG;
	case DNS_TEMPORARY:
		(void)snprintf(reason, REASON_SIZE, "%s", x->reason);
		return CHECK_TEMPORARY;
	case DNS_NXDOMAIN:
	case DNS_NO_ADDRESS:
	case DNS_NULL_MX:
	case DNS_LOOP:
	case DNS_BAD_NAME:
	case DNS_NOT_PUBLIC:
	case DNS_REFUSED:
		break;
	}
	(void)snprintf(
	    reason, REASON_SIZE, "no A or AAAA record at %s", x->name);
	return CHECK_MISSING;
}

static bool
names(const struct packet *k, const char *name)
{
	for (unsigned i = 0; i < k->n; i++) {
		if (str_is(packet_data(k, i), name)) {
			return true;
		}
	}
	return false;
}

static enum check_status
check_reverse(const struct search *s, char *reason)
{
	const struct answer *a = &s->reverse.answer;
	const char *name = s->forward.name;

	switch (a->status) {
	case ANSWER_DATA:
		if (names(&a->packet, name)) {
			return CHECK_OK;
		}
		if (a->packet.n == 0) {
			break;
		}
		(void)snprintf(reason, REASON_SIZE,
		    "the PTR record of %s is %.*s, not %s", s->ip_text,
		    STR_ARG(packet_data(&a->packet, 0)), name);
		return CHECK_WRONG;
	case ANSWER_TEMPORARY:
		reason_of_answer(reason, s->reverse.name, "PTR", a);
		return CHECK_TEMPORARY;
	case ANSWER_NODATA:
	case ANSWER_NXDOMAIN:
		break;
	}
	(void)snprintf(reason, REASON_SIZE, "no PTR record for %s", s->ip_text);
	return CHECK_MISSING;
}

static uint32_t
ttl_of(const struct search *s)
{
	const struct answer *a = &s->reverse.answer;
	uint32_t reverse =
	    a->status == ANSWER_TEMPORARY ? TTL_TEMPORARY_S : a->packet.ttl_s;

	return reverse < s->forward.ttl_s ? reverse : s->forward.ttl_s;
}

static void
reply(struct search *s)
{
	char forward[REASON_SIZE] = "", reverse[REASON_SIZE] = "";
	char reason[REASON_SIZE];
	struct ipc_ptr_rep m = { .ttl_s = ttl_of(s),
		.forward = (uint8_t)check_forward(s, forward),
		.reverse = (uint8_t)check_reverse(s, reverse) };

	(void)snprintf(reason, sizeof(reason), "%.250s%s%.250s", forward,
	    forward[0] != '\0' && reverse[0] != '\0' ? "; " : "", reverse);
	m.reason = str_of(reason);
	request_reply(&s->request, IPC_ptr_rep, &m);
	search_free(&s->request);
}

static void
on_answer(void *arg)
{
	struct search *s = arg;

	if (--s->n_pending == 0) {
		reply(s);
	}
}

static void
reply_bad(struct search *s, const char *reason)
{
	struct ipc_ptr_rep m = { .forward = CHECK_WRONG,
		.reverse = CHECK_WRONG,
		.ttl_s = TTL_FIXED_S,
		.reason = str_of(reason) };

	request_reply(&s->request, IPC_ptr_rep, &m);
	search_free(&s->request);
}

void
ptr_on_request(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_ptr_req *m = msg;
	struct search *s = mem_alloc(sizeof(*s));
	char name[DOMAIN_NAME_MAX + 1], reverse[ADDRESS_REVERSE_SIZE];

	request_begin(&s->request, p, id, search_free);
	if (address_parse(m->ip, &s->ip) < 0) {
		reply_bad(s, "not an address");
		return;
	}
	if (domain_to_ascii(m->name.p, m->name.len, 0, name, sizeof(name)) <
	    0) {
		reply_bad(s, "not a host name");
		return;
	}
	plan_address_print(&s->ip, s->ip_text);
	address_reverse(&s->ip, reverse);
	s->n_pending = 2;
	address_start(&s->forward, name, on_answer, s);
	ask_start(&s->reverse, reverse, PACKET_PTR, on_answer, s);
}
