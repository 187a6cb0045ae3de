/*
 * tx_req: the records that a message's verdict depends on, and who of its
 * recipients must not get mail.
 */
#include "tx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "accountd.h"
#include "clock.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include "suppressions.h"

#define RCPTS_MAX (16 * 1024 * 8)
#define TOLD_MAX 100

static struct str
domain_of(struct str address)
{
	const char *at =
	    address.len > 0 ? memrchr(address.p, '@', address.len) : NULL;

	return at == NULL
	    ? (struct str){ 0 }
	    : (struct str){ at + 1,
		      address.len - (size_t)(at + 1 - address.p) };
}

/* Names in messages come in any case; those of the model are lower. */
static struct str
lower(struct str s, char *dst, size_t size)
{
	str_copy(dst, size, s);
	for (char *p = dst; *p != '\0'; p++) {
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
	}
	return str_of(dst);
}

static void
find_sub(const struct ipc_tx_req *m, struct verdict_input *in)
{
	const struct account *account =
	    model_account(accountd.model, m->account);
	const struct account *sub = NULL;
	struct buf name = { 0 };

	if (account == NULL) {
		return;
	}
	in->account = &account->r;
	if (m->want_subaccount.len > 0) {
		buf_printf(&name, "%s/", account->full_name);
		buf_add(&name, m->want_subaccount.p, m->want_subaccount.len);
		sub = model_account_named(accountd.model, buf_str(&name));
		buf_fini(&name);
		in->want_sub_exists = sub != NULL;
	} else if (m->subaccount != 0) {
		sub = model_account(accountd.model, m->subaccount);
	}
	in->sub = sub != NULL ? &sub->r : NULL;
}

static void
find_domains(const struct ipc_tx_req *m, struct verdict_input *in)
{
	char name[256];
	struct str from = lower(m->from_domain, name, sizeof(name));
	const struct domain *d = model_domain_within(
	    accountd.model, m->account, from, DOMAIN_VERIFIED);

	in->from = d != NULL ? &d->r : NULL;
	in->from_state = -1;
	if (d == NULL) {
		d = model_domain_within(accountd.model, m->account, from, -1);
		in->from_state = d != NULL ? (int)d->r.state : -1;
	}
	d = model_domain_within(accountd.model, m->account,
	    lower(domain_of(m->sender), name, sizeof(name)), DOMAIN_VERIFIED);
	in->sender_domain = d != NULL ? &d->r : NULL;
}

static void
note_suppressed(struct tx_judged *j, size_t rcpt, int reason)
{
	buf_zero(&j->suppressed, rcpt / 8 + 1 - j->suppressed.len);
	j->suppressed.p[rcpt / 8] |= (uint8_t)(1u << rcpt % 8);
	buf_u8(&j->reasons, (uint8_t)reason);
}

/* Returns 0, -EBADMSG or -EIO. */
static int
find_suppressed(const struct ipc_tx_req *m, struct tx_judged *out)
{
	struct str rest = m->rcpts;
	size_t n = 0;

	while (rest.len > 0) {
		uint16_t len;
		int r;

		if (rest.len < 2 || n >= RCPTS_MAX) {
			return -EBADMSG;
		}
		memcpy(&len, rest.p, sizeof(len));
		if (len > rest.len - 2) {
			return -EBADMSG;
		}
		r = suppressions_find(accountd.store, m->account, out->sub,
		    (struct str){ rest.p + 2, len }, out->in.now_us);
		if (r < 0) {
			return r;
		}
		if (r > 0) {
			note_suppressed(out, n, r);
		}
		rest.p += 2 + len;
		rest.len -= 2u + len;
		n++;
	}
	return 0;
}

/* ---- the event of mail that is refused as unsigned --------------------------
 */

static void
write_unsigned(const struct ipc_tx_req *m, uint32_t sub,
    const struct verdict *v, struct str rcpt, uint16_t n)
{
	const struct event_blocked e = {
		.time_us = clock_wall_us(),
		.account = m->account,
		.subaccount = sub,
		.rcpt = n,
		.rcpt_to = rcpt,
		.class = STR("unsigned"),
		.smtp_text = str_of(v->text),
	};
	struct ipc_event_write w = { .kind = EVENT_blocked };
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	struct buf rec = { 0 };

	if (qmgr != NULL && event_encode(&rec, EVENT_blocked, &e) == 0) {
		w.record = buf_str(&rec);
		(void)peer_send(qmgr, IPC_event_write, 0, &w);
	}
	buf_fini(&rec);
}

/* One for each of the first recipients: the message has no other trace. */
static void
tell_unsigned(const struct ipc_tx_req *m, uint32_t sub, const struct verdict *v)
{
	struct str rest = m->rcpts;

	for (uint16_t n = 0; n < TOLD_MAX && rest.len >= 2; n++) {
		uint16_t len;

		memcpy(&len, rest.p, sizeof(len));
		if (len > rest.len - 2) {
			return;
		}
		write_unsigned(m, sub, v, (struct str){ rest.p + 2, len }, n);
		rest.p += 2 + len;
		rest.len -= 2u + len;
	}
}

/* ---- the answer ------------------------------------------------------------
 */

void
tx_return_domain(const struct verdict *v, char *dst)
{
	*dst = '\0';
	if (v->code != 0 || (v->flags & TX_PLAIN_SENDER) != 0) {
		return;
	}
	if (v->has_return_domain) {
		snprintf(dst, TX_RETURN_DOMAIN_SIZE, BOUNCE_LABEL ".%.*s",
		    STR_ARG(v->sign_domain));
	} else {
		snprintf(dst, TX_RETURN_DOMAIN_SIZE, "%s",
		    accountd.site.bounce_domain);
	}
}

void
tx_judge(const struct ipc_tx_req *m, struct tx_judged *out)
{
	const struct key *key = model_key(accountd.model, m->key);

	*out = (struct tx_judged){
		.in = {
			.key = key != NULL ? &key->r : NULL,
			.has_key = m->key != 0,
			.sender = m->sender,
			.from_domain = m->from_domain,
			.header_from = m->header_from,
			.want_sub = m->want_subaccount,
			.want_class = m->want_class,
			.want_pool = m->want_pool,
			.want_pool_exists =
			    model_has_pool(accountd.model, m->want_pool),
			.now_us = clock_wall_us(),
		},
	};
	find_sub(m, &out->in);
	find_domains(m, &out->in);
	out->sub = out->in.sub != NULL ? out->in.sub->id : 0;
	verdict_make(&out->in, &out->v);
	if (out->v.code == 0 && find_suppressed(m, out) < 0) {
		out->v = (struct verdict){ .code = 451,
			.about = VERDICT_RECIPIENTS,
			.enh = "4.3.0",
			.text = "The recipients cannot be checked now" };
		buf_clear(&out->suppressed, 0);
		buf_clear(&out->reasons, 0);
	}
}

void
tx_judged_fini(struct tx_judged *j)
{
	buf_fini(&j->suppressed);
	buf_fini(&j->reasons);
}

void
tx_on_tx(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_tx_req *m = msg;
	char bounce[TX_RETURN_DOMAIN_SIZE];
	char pool[80];
	struct tx_judged j;
	struct ipc_tx_rep rep;

	tx_judge(m, &j);
	if (j.v.code == 0 && j.v.is_pool_ignored) {
		log_info("account %u: pool %s is unknown or not allowed: "
			 "ignored",
		    m->account, str_safe(pool, sizeof(pool), m->want_pool));
	}
	if (j.v.code != 0 && j.v.about == VERDICT_DOMAIN) {
		tell_unsigned(m, j.sub, &j.v);
	}
	tx_return_domain(&j.v, bounce);
	rep = (struct ipc_tx_rep){
		.code = j.v.code,
		.enh = str_of(j.v.enh),
		.text = str_of(j.v.text),
		.subaccount = j.sub,
		.class = j.v.class,
		.flags = j.v.flags,
		.sign_domain = j.v.sign_domain,
		.return_domain = str_of(bounce),
		.pool = j.v.pool,
		.suppressed = buf_str(&j.suppressed),
		.reasons = buf_str(&j.reasons),
	};
	/* A peer that does not take it is about to be dropped. */
	(void)peer_send(p, IPC_tx_rep, id, &rep);
	tx_judged_fini(&j);
}
