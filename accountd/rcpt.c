/*
 * rcpt_req: which addresses are ours on the mx listener. Those are return
 * paths under our key, and the addresses of mx_feedback_addresses and
 * mx_local_addresses; nothing else is relayed. forward_req: where what came to
 * a return path is wanted.
 */
#include <errno.h>
#include <string.h>

#include "account.h"
#include "accountd.h"
#include "clock.h"
#include "conf.h"
#include "domain.h"
#include "return_path.h"
#include "service.h"
#include "settings.h"

static void
set_reply(
    struct ipc_rcpt_rep *rep, uint16_t code, const char *enh, const char *text)
{
	rep->code = code;
	rep->enh = str_of(enh);
	rep->text = str_of(text);
}

/* The name of a sending domain's return path, whatever its state is now:
 * mail sent before may still come back, and the token decides. */
static bool
is_bounce_name(struct str domain)
{
	const size_t n = sizeof(BOUNCE_LABEL);

	return domain.len > n && memcmp(domain.p, BOUNCE_LABEL ".", n) == 0 &&
	    model_has_domain(
		accountd.model, (struct str){ domain.p + n, domain.len - n });
}

static void
judge_return_path(struct str local, struct ipc_rcpt_rep *rep)
{
	const struct schema_instance *i = model_instance(accountd.model);
	struct return_path_token token;
	uint64_t sent_us;

	if (return_path_parse((const uint8_t *)i->return_key.p, local.p,
		local.len, &token) < 0) {
		set_reply(rep, 550, "5.1.1",
		    "We sent no message with this return path");
		return;
	}
	memcpy(rep->msgid.b, token.message_id, sizeof(rep->msgid.b));
	sent_us = uuid_wall_ms(&rep->msgid) * US_PER_MS;
	if (sent_us + conf()->bounce_token_lifetime < clock_wall_us()) {
		rep->msgid = (struct uuid){ 0 };
		set_reply(rep, 550, "5.1.1", "This return path is too old");
		return;
	}
	rep->kind = INBOUND_RETURN_PATH;
	rep->rcpt = token.recipient;
	rep->accept_lsn = token.accept_lsn;
}

static int
is_same(void *arg, const char *word, size_t len)
{
	const struct str *address = arg;

	return str_eq_case(*address, (struct str){ word, len });
}

static bool
is_listed(const char *list, struct str local, struct str domain)
{
	struct buf b = { 0 };
	struct str address;
	bool found;

	buf_add(&b, local.p, local.len);
	buf_u8(&b, '@');
	buf_add(&b, domain.p, domain.len);
	address = buf_str(&b);
	found = conf_list_each(list, is_same, &address) != 0;
	buf_fini(&b);
	return found;
}

void
rcpt_on_rcpt(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_rcpt_req *m = msg;
	struct ipc_rcpt_rep rep = { .code = 0 };
	char name[256];
	struct str domain;
	bool is_ours;

	str_copy(name, sizeof(name), m->domain);
	domain_lower(name, strlen(name));
	domain = str_of(name);
	is_ours = str_eq_case(domain, str_of(accountd.site.bounce_domain)) ||
	    is_bounce_name(domain);
	if (is_listed(conf()->mx_feedback_addresses, m->local, domain)) {
		rep.kind = INBOUND_FEEDBACK;
	} else if (is_listed(conf()->mx_local_addresses, m->local, domain)) {
		rep.kind = INBOUND_ROLE;
	} else if (!is_ours) {
		set_reply(&rep, 550, "5.7.1", "Relay access denied");
	} else {
		judge_return_path(m->local, &rep);
	}
	/* A peer that does not take it is about to be dropped. */
	(void)peer_send(p, IPC_rcpt_rep, id, &rep);
}

void
rcpt_on_forward(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_forward_req *m = msg;
	const struct account *a = model_account(accountd.model, m->account);
	const struct account *sub = m->subaccount != 0
	    ? model_account(accountd.model, m->subaccount)
	    : NULL;
	struct ipc_forward_rep rep = { .address = { 0 } };
	struct settings s;

	if (a != NULL) { /* else deleted: nobody wants it */
		settings_of(&a->r, sub != NULL ? &sub->r : NULL, &s);
		rep.address = s.forward_bounces;
		rep.name = str_of(sub != NULL ? sub->full_name : a->full_name);
	}
	(void)peer_send(p, IPC_forward_rep, id, &rep);
}
