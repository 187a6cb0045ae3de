#include <errno.h>
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "log.h"
#include "service.h"
#include "session.h"
#include "smtp_param.h"
#include "smtp_path.h"
#include "spool.h"
#include "tx.h"
#include "worker.h"

/* As the rcpts field of an accepted event allows (event.def). */
#define RCPTS_MAX (1024 * 1024 - 1024)

/* Takes "FROM:" or "TO:" off the front; a space behind it is a common
 * mistake and harmless. */
static bool
take_keyword(struct str *args, const char *keyword)
{
	size_t n = strlen(keyword);

	if (args->len < n || strncasecmp(args->p, keyword, n) != 0) {
		return false;
	}
	args->p += n;
	args->len -= n;
	*args = str_trim(*args);
	return true;
}

static bool
is_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (((unsigned char)s.p[i] & 0x80) != 0) {
			return true;
		}
	}
	return false;
}

/*
 * Takes the path off the front. Whether UTF-8 was allowed is known only after
 * the parameters behind it. Returns 0 or the error of smtp_path.h; a path is
 * followed by a space or the end.
 */
static int
take_path(struct str *args, unsigned flags, struct smtp_path *path,
    bool *path_is_8bit)
{
	size_t used;
	int r = smtp_path_parse_prefix(args->p, args->len,
	    flags | SMTP_PATH_UTF8 | SMTP_PATH_UNDERSCORE, path, &used);

	if (r < 0) {
		return r;
	}
	if (used < args->len && args->p[used] != ' ') {
		return -EBADMSG;
	}
	*path_is_8bit = is_8bit((struct str){ args->p, used });
	args->p += used;
	args->len -= used;
	return 0;
}

static const char *
param_error(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
		return "555 5.5.4 Error: unsupported parameter";
	case -EEXIST:
		return "501 5.5.4 Error: parameter given twice";
	default:
		return "501 5.5.4 Error: bad parameter";
	}
}

/* ---- MAIL --------------------------------------------------------------- */

static const char *
check_mail_state(const struct session *s)
{
	if (s->helo[0] == '\0') {
		return "503 5.5.1 Error: send HELO/EHLO first";
	}
	if (s->tx != NULL) {
		return "503 5.5.1 Error: nested MAIL command";
	}
	return NULL;
}

static bool
is_relay_client(const struct session *s)
{
	return s->is_trusted && conf()->mynetworks_account[0] != '\0';
}

/* NULL, or why this client may not send at all. */
static const char *
check_rights(const struct session *s)
{
	if (s->role == PORT_MX || s->account.is_known || is_relay_client(s)) {
		return NULL;
	}
	if (!session_is_tls(s)) {
		return "530 5.7.0 Must issue a STARTTLS command first";
	}
	return "530 5.7.0 Authentication required";
}

static unsigned
offered_to_mail(const struct session *s)
{
	unsigned offered =
	    SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_SMTPUTF8;

	if (!s->is_esmtp) {
		return 0;
	}
	if (s->role != PORT_MX) {
		offered |= SMTP_PARAM_RET | SMTP_PARAM_ENVID;
		if (session_is_tls(s)) {
			offered |= SMTP_PARAM_AUTH; /* RFC 4954 section 5 */
			offered |= SMTP_PARAM_REQUIRETLS; /* RFC 8689 */
		}
	}
	return offered;
}

/* Reads the rest of MAIL into a new transaction. NULL or the reply. */
static const char *
parse_mail(struct session *s, struct str args)
{
	struct smtp_mail_params given;
	struct smtp_path path;
	struct tx *tx;
	bool utf8_path;
	int r;

	if (!take_keyword(&args, "FROM:")) {
		return "501 5.5.4 Syntax: MAIL FROM:<address>";
	}
	if (take_path(&args, SMTP_PATH_NULL, &path, &utf8_path) < 0) {
		return "501 5.1.7 Bad sender address syntax";
	}
	r = smtp_param_parse_mail(
	    args.p, args.len, offered_to_mail(s), &given, NULL);
	if (r < 0) {
		return param_error(r);
	}
	if (utf8_path && (given.given & SMTP_PARAM_SMTPUTF8) == 0) {
		return "553 5.6.7 Address needs SMTPUTF8";
	}
	if (given.size > conf()->message_size_limit) {
		return "552 5.3.4 Message size exceeds fixed limit";
	}
	tx = tx_new(s);
	s->tx = tx;
	bug_on(smtp_path_print(&path, tx->sender, sizeof(tx->sender)) < 0);
	tx->ret = given.ret;
	tx->is_utf8 = (given.given & SMTP_PARAM_SMTPUTF8) != 0;
	tx->is_8bit = given.body == SMTP_BODY_8BITMIME;
	tx->needs_tls = (given.given & SMTP_PARAM_REQUIRETLS) != 0;
	tx->has_utf8_address = utf8_path;
	str_copy(tx->env_id, sizeof(tx->env_id),
	    (struct str){ given.envid, given.envid_len });
	return NULL;
}

static void
refuse_mail(struct session *s, const char *text)
{
	session_refuse(s, "MAIL", text, NULL);
	session_reset_tx(s);
}

static const char *
verdict_reply(unsigned verdict)
{
	switch ((enum account_verdict)verdict) {
	case ACCOUNT_OK:
		return NULL;
	case ACCOUNT_UNKNOWN:
	case ACCOUNT_SUBACCOUNT:
		return "550 5.7.1 mynetworks_account is no account";
	case ACCOUNT_BAD_CREDENTIALS:
	case ACCOUNT_NOT_ALLOWED:
		return "550 5.7.1 Client host rejected";
	case ACCOUNT_TRY_LATER:
		break;
	}
	return "451 4.3.0 Temporary lookup failure";
}

/* accountd told whose the client of mynetworks is. */
static void
got_client(void *arg, enum ipc_type type, const void *m)
{
	struct session *s = arg;
	const struct ipc_auth_rep *rep = m;
	const char *refusal;

	s->ask = NULL;
	s->is_waiting = false;
	refusal = verdict_reply(
	    type == IPC_auth_rep ? rep->verdict : ACCOUNT_TRY_LATER);
	if (refusal == NULL) {
		refusal = worker_tenant_pressure(rep->account, rep->subaccount);
	}
	if (refusal != NULL) {
		refuse_mail(s, refusal);
	} else {
		s->account = (struct session_account){ .is_known = true,
			.account = rep->account,
			.subaccount = rep->subaccount,
			.key = rep->key };
		str_copy(s->account.name, sizeof(s->account.name), rep->name);
		worker_set_trusted_account(&s->account);
		session_reply(s, "250 2.1.0 Ok");
	}
	session_run(s);
}

static void
ask_client(struct session *s)
{
	struct ipc_client_req req = {
		.account = str_of(conf()->mynetworks_account),
		.client_ip = str_of(s->ip),
	};

	if (session_ask(s, IPC_client_req, &req, got_client) < 0) {
		refuse_mail(s, "451 4.3.0 Temporary lookup failure");
	}
}

/* NULL, or why no mail is wanted now: from anybody, or from the account that
 * will send it. Reports that come in are nobody's. */
static const char *
check_room(const struct session *s, const struct session_account *trusted)
{
	const struct session_account *a =
	    s->auth_method != NULL ? &s->account : trusted;
	const char *text = worker_pressure();

	if (text != NULL || s->role == PORT_MX || a == NULL || !a->is_known) {
		return text;
	}
	return worker_tenant_pressure(a->account, a->subaccount);
}

void
command_mail(struct session *s, struct str args)
{
	const struct session_account *trusted;
	const char *text = check_mail_state(s);

	if (text != NULL) {
		session_error(s, text);
		return;
	}
	trusted = worker_trusted_account();
	text = check_rights(s);
	if (text == NULL) {
		text = check_room(s, trusted);
	}
	if (text == NULL) {
		text = parse_mail(s, args);
	}
	if (text != NULL) {
		refuse_mail(s, text);
		return;
	}
	if (s->role == PORT_MX ||
	    (s->account.is_known && s->auth_method != NULL)) {
		session_reply(s, "250 2.1.0 Ok");
		return;
	}
	if (trusted == NULL) {
		ask_client(s);
		return;
	}
	s->account = *trusted;
	session_reply(s, "250 2.1.0 Ok");
}

/* ---- RCPT --------------------------------------------------------------- */

/* A recipient in the canonical spelling of its mailbox. */
struct rcpt {
	char address[SMTP_PATH_PRINT_MAX + 256];
	struct smtp_path path;
	struct smtp_rcpt_params params;
	bool is_8bit;
};

static void
refuse_rcpt(struct session *s, const char *text, const char *to)
{
	s->tx->refused++;
	session_refuse(s, "RCPT", text, to);
}

/* Reads the rest of RCPT. NULL or the reply. */
static const char *
parse_rcpt(struct session *s, struct str args, struct rcpt *r)
{
	unsigned offered = s->role == PORT_MX || !s->is_esmtp
	    ? 0
	    : SMTP_PARAM_NOTIFY | SMTP_PARAM_ORCPT;
	int e;

	r->address[0] = '\0';
	if (!take_keyword(&args, "TO:")) {
		return "501 5.5.4 Syntax: RCPT TO:<address>";
	}
	e = take_path(&args, SMTP_PATH_POSTMASTER, &r->path, &r->is_8bit);
	if (e < 0) {
		return e == -EMSGSIZE
		    ? "553 5.1.3 Recipient address too long"
		    : "501 5.1.3 Bad recipient address syntax";
	}
	bug_on(smtp_path_print(&r->path, r->address, SMTP_PATH_PRINT_MAX) < 0);
	if (r->is_8bit && !s->tx->is_utf8) {
		return "553 5.6.7 Address needs SMTPUTF8";
	}
	e = smtp_param_parse_rcpt(
	    args.p, args.len, offered, s->tx->is_utf8, &r->params, NULL);
	return e < 0 ? param_error(e) : NULL;
}

static uint8_t
notify_bits(unsigned notify)
{
	uint8_t bits = 0;

	bits |= (notify & SMTP_NOTIFY_NEVER) != 0 ? RCPT_NOTIFY_NEVER : 0;
	bits |= (notify & SMTP_NOTIFY_SUCCESS) != 0 ? RCPT_NOTIFY_SUCCESS : 0;
	bits |= (notify & SMTP_NOTIFY_FAILURE) != 0 ? RCPT_NOTIFY_FAILURE : 0;
	bits |= (notify & SMTP_NOTIFY_DELAY) != 0 ? RCPT_NOTIFY_DELAY : 0;
	return bits;
}

static void
add_rcpt(struct tx *tx, const struct rcpt *r)
{
	char orcpt[SMTP_ORCPT_MAX + 64];
	struct event_rcpt e = { .address = str_of(r->address),
		.notify = notify_bits(r->params.notify) };

	if (r->params.orcpt != NULL &&
	    r->params.orcpt_type_len + r->params.orcpt_len + 1 <
		sizeof(orcpt)) {
		size_t n = r->params.orcpt_type_len;

		memcpy(orcpt, r->params.orcpt_type, n);
		orcpt[n++] = ';';
		memcpy(orcpt + n, r->params.orcpt, r->params.orcpt_len);
		e.orcpt = (struct str){ orcpt, n + r->params.orcpt_len };
	}
	event_rcpt_add(&tx->rcpts, &e);
	tx->nrcpt++;
	tx->has_utf8_address |= r->is_8bit;
}

/* accountd told whether an address is ours. */
static void
got_rcpt(void *arg, enum ipc_type type, const void *m)
{
	struct session *s = arg;
	struct tx *tx = s->tx;
	const struct ipc_rcpt_rep *rep = m;
	struct event_rcpt e = { .address = str_of(tx->asked_rcpt) };
	const char *to = tx->asked_rcpt;

	s->ask = NULL;
	s->is_waiting = false;
	if (type != IPC_rcpt_rep) {
		refuse_rcpt(s, "451 4.3.0 Temporary lookup failure", to);
	} else if (rep->code != 0) {
		tx->refused++;
		session_refuse_as(
		    s, "RCPT", rep->code, rep->enh, rep->text, to);
	} else if (tx->nrcpt != 0 &&
	    (rep->kind != INBOUND_ROLE || tx->inbound != INBOUND_ROLE)) {
		/* A report is about one message: the next one again. */
		refuse_rcpt(s, "452 4.5.3 One recipient at a time", to);
	} else {
		tx->inbound = (enum inbound_kind)rep->kind;
		tx->orig_msgid = rep->msgid;
		tx->orig_rcpt = rep->rcpt;
		tx->orig_accept_lsn = rep->accept_lsn;
		event_rcpt_add(&tx->rcpts, &e);
		tx->nrcpt++;
		session_reply(s, "250 2.1.5 Ok");
	}
	session_run(s);
}

/* On the mx listener: is the address ours? */
static void
ask_rcpt(struct session *s, const struct rcpt *r)
{
	struct ipc_rcpt_req req = {
		.local = { r->path.local, r->path.local_len },
		.domain = { r->path.domain, r->path.domain_len },
	};

	if (r->path.domain_len == 0) {
		req.domain = str_of(conf()->bounce_domain);
	}
	str_copy(
	    s->tx->asked_rcpt, sizeof(s->tx->asked_rcpt), str_of(r->address));
	if (session_ask(s, IPC_rcpt_req, &req, got_rcpt) < 0) {
		refuse_rcpt(
		    s, "451 4.3.0 Temporary lookup failure", r->address);
	}
}

/* RFC 5321 section 4.5.1: postmaster without a domain is ours. */
static void
qualify(struct rcpt *r)
{
	if (r->path.domain_len == 0) {
		size_t n = strlen(r->address);

		r->address[n++] = '@';
		str_copy(r->address + n, sizeof(r->address) - n,
		    str_of(worker_hostname()));
	}
}

void
command_rcpt(struct session *s, struct str args)
{
	struct tx *tx = s->tx;
	struct rcpt r;
	const char *text;

	if (tx == NULL || tx->is_bdat) {
		session_error(s,
		    tx == NULL ? "503 5.5.1 Error: need MAIL command"
			       : "503 5.5.1 Error: message content has begun");
		return;
	}
	text = parse_rcpt(s, args, &r);
	if (text != NULL) {
		refuse_rcpt(s, text, r.address);
		return;
	}
	if (tx->nrcpt >= conf()->smtpd_recipient_limit ||
	    tx->rcpts.len >= RCPTS_MAX) {
		s->overshoot++;
		session_reply(s, "452 4.5.3 Error: too many recipients");
		return;
	}
	if (s->role == PORT_MX) {
		ask_rcpt(s, &r);
		return;
	}
	if (r.path.is_literal) {
		/* Mail to an address inside our network is an attack. */
		refuse_rcpt(
		    s, "550 5.7.1 Address literals are not served", r.address);
		return;
	}
	qualify(&r);
	add_rcpt(tx, &r);
	session_reply(s, "250 2.1.5 Ok");
}
