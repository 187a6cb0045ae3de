/*
 * domain_req: all records of a sending domain, looked up at the same time; and
 * dkim_req: those of two keys.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "resolvd.h"
#include "service.h"
#include "site_key.h"
#include "spf.h"

#define N_KEYS 2

/* A key and where it should be published. */
struct key {
	struct search *search;
	char name[DOMAIN_NAME_MAX + 80];
	char *expected; /* NULL: not checked */
	struct ask ask;
	struct check_result result;
};

struct search {
	struct request request;
	char domain[DOMAIN_NAME_MAX + 1];
	char bounce[DOMAIN_NAME_MAX + 1];
	char target[DOMAIN_NAME_MAX + 1];
	char dmarc_name[DOMAIN_NAME_MAX + 80];
	char *token;
	struct ask token_ask;
	struct ask bounce_ask;
	struct ask target_ask;
	struct ask dmarc_ask;
	struct key keys[N_KEYS];
	struct check_result token_result;
	struct check_result bounce_result;
	struct check_result dmarc_result;
	struct spf spf;
	unsigned n_pending;
	bool is_keys_only; /* dkim_req */
};

static void
search_free(struct request *r)
{
	struct search *s = container_of(r, struct search, request);

	ask_end(&s->token_ask);
	ask_end(&s->bounce_ask);
	ask_end(&s->target_ask);
	ask_end(&s->dmarc_ask);
	for (unsigned i = 0; i < N_KEYS; i++) {
		ask_end(&s->keys[i].ask);
		free(s->keys[i].expected);
	}
	spf_end(&s->spf);
	free(s->token);
	free(s);
}

static void
reply_keys(struct search *s)
{
	const struct ipc_dkim_rep m = {
		.dkim1 = (uint8_t)s->keys[0].result.status,
		.dkim1_reason = str_of(s->keys[0].result.reason),
		.dkim2 = (uint8_t)s->keys[1].result.status,
		.dkim2_reason = str_of(s->keys[1].result.reason),
	};

	request_reply(&s->request, IPC_dkim_rep, &m);
	search_free(&s->request);
}

static void
reply(struct search *s)
{
	struct ipc_domain_rep m = {
		.token = (uint8_t)s->token_result.status,
		.token_reason = str_of(s->token_result.reason),
		.dkim1 = (uint8_t)s->keys[0].result.status,
		.dkim1_reason = str_of(s->keys[0].result.reason),
		.dkim2 = (uint8_t)s->keys[1].result.status,
		.dkim2_reason = str_of(s->keys[1].result.reason),
		.bounce = (uint8_t)s->bounce_result.status,
		.bounce_reason = str_of(s->bounce_result.reason),
		.spf = (uint8_t)s->spf.result.status,
		.spf_reason = str_of(s->spf.result.reason),
		.dmarc = (uint8_t)s->dmarc_result.status,
		.dmarc_reason = str_of(s->dmarc_result.reason),
	};

	request_reply(&s->request, IPC_domain_rep, &m);
	search_free(&s->request);
}

static void
check_done(void *arg)
{
	struct search *s = arg;

	if (--s->n_pending > 0) {
		return;
	}
	if (s->is_keys_only) {
		reply_keys(s);
	} else {
		reply(s);
	}
}

/* ---- token -------------------------------------------------------------- */

static void
on_token(void *arg)
{
	struct search *s = arg;

	check_token(&s->token_ask.answer, s->domain, str_of(s->token),
	    &s->token_result);
	check_done(s);
}

static void
start_token(struct search *s, struct str token)
{
	if (token.len == 0) {
		check_set(&s->token_result, CHECK_SKIPPED, "no token is set");
		return;
	}
	s->token = str_dup(token);
	s->n_pending++;
	ask_start(&s->token_ask, s->domain, PACKET_TXT, on_token, s);
}

/* ---- keys --------------------------------------------------------------- */

static void
on_key(void *arg)
{
	struct key *k = arg;

	check_dkim(&k->ask.answer, k->name, str_of(k->expected), &k->result);
	check_done(k->search);
}

static void
start_key(
    struct search *s, unsigned i, struct str selector, struct str expected)
{
	struct key *k = &s->keys[i];

	k->search = s;
	if (selector.len == 0 || expected.len == 0) {
		check_set(&k->result, CHECK_SKIPPED, "no key is set");
		return;
	}
	(void)snprintf(k->name, sizeof(k->name), "%.*s._domainkey.%s",
	    STR_ARG(selector), s->domain);
	k->expected = str_dup(expected);
	s->n_pending++;
	ask_start(&k->ask, k->name, PACKET_TXT, on_key, k);
}

/* ---- the bounce name ---------------------------------------------------- */

static void
on_bounce(void *arg)
{
	struct search *s = arg;

	/* Either answer may be the last one. */
	if (s->bounce_ask.state == ASK_ANSWERED &&
	    s->target_ask.state == ASK_ANSWERED) {
		check_bounce(&s->bounce_ask.answer, &s->target_ask.answer,
		    s->bounce, s->target, conf()->myhostname,
		    &s->bounce_result);
	}
	check_done(s);
}

static void
start_bounce(struct search *s, struct str host, struct str target)
{
	if (domain_to_ascii(host.p, host.len, DOMAIN_UNDERSCORE, s->bounce,
		sizeof(s->bounce)) < 0 ||
	    domain_to_ascii(target.p, target.len, DOMAIN_UNDERSCORE, s->target,
		sizeof(s->target)) < 0) {
		check_set(
		    &s->bounce_result, CHECK_SKIPPED, "no bounce name is set");
		return;
	}
	s->n_pending += 2;
	ask_start(&s->bounce_ask, s->bounce, PACKET_MX, on_bounce, s);
	ask_start(&s->target_ask, s->target, PACKET_MX, on_bounce, s);
}

/* ---- DMARC -------------------------------------------------------------- */

static void start_dmarc(struct search *s, const char *domain);

static void
on_dmarc(void *arg)
{
	struct search *s = arg;
	char above[SITE_SIZE];

	check_dmarc(&s->dmarc_ask.answer, s->dmarc_name, &s->dmarc_result);
	if (s->dmarc_result.status == CHECK_MISSING) {
		/* RFC 7489 section 6.6.3: then that of the organisation */
		site_provider(s->domain, above);
		if (strcmp(above, s->domain) != 0 &&
		    strcmp(above, s->dmarc_name + strlen("_dmarc.")) != 0) {
			start_dmarc(s, above);
		}
	}
	check_done(s);
}

static void
start_dmarc(struct search *s, const char *domain)
{
	(void)snprintf(
	    s->dmarc_name, sizeof(s->dmarc_name), "_dmarc.%s", domain);
	s->n_pending++;
	ask_start(&s->dmarc_ask, s->dmarc_name, PACKET_TXT, on_dmarc, s);
}

/* ---- the request -------------------------------------------------------- */

static void
start_spf(struct search *s, struct str sender, struct str ip)
{
	char mailbox[321];

	if (sender.len > 0) {
		str_copy(mailbox, sizeof(mailbox), sender);
	} else {
		(void)snprintf(
		    mailbox, sizeof(mailbox), "postmaster@%s", s->domain);
	}
	s->n_pending++;
	spf_start(&s->spf, mailbox, ip, check_done, s);
}

static void
reply_bad(struct search *s)
{
	static const char text[] = "not a domain name";

	check_set(&s->token_result, CHECK_WRONG, text);
	check_set(&s->keys[0].result, CHECK_WRONG, text);
	check_set(&s->keys[1].result, CHECK_WRONG, text);
	check_set(&s->bounce_result, CHECK_WRONG, text);
	check_set(&s->spf.result, CHECK_WRONG, text);
	check_set(&s->dmarc_result, CHECK_WRONG, text);
	reply(s);
}

void
domain_on_request(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_domain_req *m = msg;
	struct search *s = mem_alloc(sizeof(*s));

	request_begin(&s->request, p, id, search_free);
	if (domain_to_ascii(m->domain.p, m->domain.len, DOMAIN_UNDERSCORE,
		s->domain, sizeof(s->domain)) < 0) {
		reply_bad(s);
		return;
	}
	/* Results come from the loop, so none is the last one here. */
	start_token(s, m->token);
	start_key(s, 0, m->selector1, m->record1);
	start_key(s, 1, m->selector2, m->record2);
	start_bounce(s, m->bounce_host, m->bounce_target);
	start_dmarc(s, s->domain);
	start_spf(s, m->spf_sender, m->spf_ip);
}

void
domain_on_keys(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_dkim_req *m = msg;
	struct search *s = mem_alloc(sizeof(*s));

	request_begin(&s->request, p, id, search_free);
	s->is_keys_only = true;
	if (domain_to_ascii(m->domain.p, m->domain.len, DOMAIN_UNDERSCORE,
		s->domain, sizeof(s->domain)) < 0) {
		check_set(&s->keys[0].result, CHECK_WRONG, "not a domain name");
		check_set(&s->keys[1].result, CHECK_WRONG, "not a domain name");
		reply_keys(s);
		return;
	}
	start_key(s, 0, m->selector1, m->record1);
	start_key(s, 1, m->selector2, m->record2);
	if (s->n_pending == 0) {
		reply_keys(s); /* neither is set */
	}
}
