#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "conf.h"
#include "log.h"
#include "login.h"
#include "refusals.h"
#include "service.h"
#include "session.h"
#include "tx.h"

#define BAD_BASE64 "501 5.5.2 Error: cannot decode response"

/*
 * Strict base64 (RFC 4648 section 4, no line ends): a lax decoder would see
 * other bytes than the client's. out has LOGIN_LINE_MAX bytes.
 */
static int
decode(struct str in, char *out, size_t *out_len)
{
	size_t pad = 0;
	int n;

	*out_len = 0;
	if (in.len == 0) {
		return 0;
	}
	if (in.len % 4 != 0 || in.len > LOGIN_LINE_MAX) {
		return -EBADMSG;
	}
	while (pad < 2 && in.p[in.len - 1 - pad] == '=') {
		pad++;
	}
	for (size_t i = 0; i < in.len - pad; i++) {
		char c = in.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') || c == '+' || c == '/')) {
			return -EBADMSG;
		}
	}
	n = EVP_DecodeBlock(
	    (unsigned char *)out, (const unsigned char *)in.p, (int)in.len);
	if (n < 0 || (size_t)n < pad) {
		return -EBADMSG;
	}
	*out_len = (size_t)n - pad;
	return 0;
}

static void
end_dialogue(struct session *s)
{
	login_end(&s->login);
	s->mode = MODE_COMMAND;
}

/* A dialogue that was broken off or is none; no password was tried. */
static void
give_up(struct session *s, const char *text)
{
	end_dialogue(s);
	session_error(s, text);
}

static void
refuse_login(struct session *s, const char *mechanism, const char *user,
    const char *text)
{
	char safe[255];

	log_warn("unknown[%s]: SASL %s authentication failed: %s, "
		 "sasl_username=%s",
	    s->ip, mechanism, text, str_safe(safe, sizeof(safe), str_of(user)));
	client_note_failure(s->client);
	s->auth_failures++;
	refusals_note(s, "AUTH", text, NULL);
	session_error(s, text);
	if (s->auth_failures >= conf()->smtpd_auth_failure_limit) {
		session_close(s, "421 4.7.0 Error: too many failed logins");
	}
}

static void
log_in(struct session *s, const struct ipc_auth_rep *rep, const char *mechanism)
{
	s->account = (struct session_account){ .is_known = true,
		.account = rep->account,
		.subaccount = rep->subaccount,
		.key = rep->key };
	str_copy(s->account.name, sizeof(s->account.name), rep->name);
	s->auth_method = mechanism;
	client_note_login(s->client);
	session_reply(s, "235 2.7.0 Authentication successful");
}

static enum account_verdict
verdict_of(enum ipc_type type, const struct ipc_auth_rep *rep)
{
	if (type != IPC_auth_rep) {
		return ACCOUNT_TRY_LATER;
	}
	return rep->verdict <= ACCOUNT_SUBACCOUNT
	    ? (enum account_verdict)rep->verdict
	    : ACCOUNT_NOT_ALLOWED;
}

/* accountd's verdict; what it was about is wiped by now. */
static void
got_verdict(void *arg, enum ipc_type type, const void *m)
{
	struct session *s = arg;
	const struct ipc_auth_rep *rep = m;
	const char *mechanism = s->auth_method;
	enum account_verdict verdict = verdict_of(type, rep);

	s->ask = NULL;
	s->is_waiting = false;
	s->auth_method = NULL;
	switch (verdict) {
	case ACCOUNT_OK:
		log_in(s, rep, mechanism);
		break;
	case ACCOUNT_TRY_LATER:
		session_reply(s, "454 4.7.0 Temporary authentication failure");
		break;
	case ACCOUNT_BAD_CREDENTIALS:
	case ACCOUNT_UNKNOWN:
	case ACCOUNT_NOT_ALLOWED:
	case ACCOUNT_SUBACCOUNT:
		refuse_login(s, mechanism, s->auth_user,
		    "535 5.7.8 Error: authentication failed");
		break;
	}
	if (verdict != ACCOUNT_OK) {
		s->auth_user[0] = '\0';
	}
	session_run(s);
}

static void
ask_accountd(struct session *s)
{
	struct ipc_auth_req req = {
		.login = login_user(s->login),
		.password = login_password(s->login),
		.client_ip = str_of(s->ip),
		.method = STR("smtp/send"),
	};
	int r = session_ask(s, IPC_auth_req, &req, got_verdict);

	str_copy(s->auth_user, sizeof(s->auth_user), req.login);
	s->auth_method = login_mechanism(s->login);
	end_dialogue(s);
	if (r < 0) {
		s->auth_method = NULL;
		s->auth_user[0] = '\0';
		session_reply(s, "454 4.7.0 Temporary authentication failure");
	}
}

static void
send_challenge(struct session *s)
{
	struct str c = login_challenge(s->login);
	unsigned char text[512];

	if (c.len > sizeof(text) / 4 * 3 - 4) {
		give_up(s, "501 5.5.2 Error: challenge too long");
		return;
	}
	text[EVP_EncodeBlock(text, (const unsigned char *)c.p, (int)c.len)] =
	    '\0';
	session_replyf(s, "334 %s", (const char *)text);
	s->mode = MODE_AUTH;
}

static void
go_on(struct session *s, enum login_result result, const char *mechanism)
{
	switch (result) {
	case LOGIN_MORE:
		send_challenge(s);
		break;
	case LOGIN_DONE:
		ask_accountd(s);
		break;
	case LOGIN_BAD:
		give_up(s, "501 5.5.2 Error: malformed authentication data");
		break;
	case LOGIN_UNKNOWN:
		give_up(s, "504 5.5.4 Error: unknown mechanism");
		break;
	case LOGIN_REFUSED:
		end_dialogue(s);
		refuse_login(
		    s, mechanism, "", "535 5.7.8 Error: authentication failed");
		break;
	}
}

void
auth_response(struct session *s, struct str line)
{
	char data[LOGIN_LINE_MAX];
	size_t len;

	if (str_is(line, "*")) {
		give_up(s, "501 5.7.0 Error: authentication cancelled");
		return;
	}
	if (decode(line, data, &len) < 0) {
		give_up(s, BAD_BASE64);
		return;
	}
	go_on(s, login_step(s->login, (struct str){ data, len }),
	    login_mechanism(s->login));
	explicit_bzero(data, len);
}

/* NULL, or why there is no AUTH now (RFC 4954 section 4). */
static const char *
check_state(const struct session *s, struct str args)
{
	if (s->helo[0] == '\0' || !s->is_esmtp) {
		return "503 5.5.1 Error: send EHLO first";
	}
	if (s->role == PORT_MX) {
		return "503 5.5.1 Error: authentication not enabled";
	}
	if (!session_is_tls(s)) {
		return "538 5.7.11 Encryption required for requested "
		       "authentication mechanism";
	}
	if (s->auth_method != NULL) {
		return "503 5.5.1 Error: already authenticated";
	}
	if (s->tx != NULL) {
		return "503 5.5.1 Error: mail transaction in progress";
	}
	if (args.len == 0) {
		return "501 5.5.4 Syntax: AUTH mechanism";
	}
	return NULL;
}

void
command_auth(struct session *s, struct str args)
{
	char data[LOGIN_LINE_MAX];
	char mechanism[32];
	struct str name = { 0 };
	struct str first = { data, 0 };
	const char *text = check_state(s, args);
	bool has_first;

	if (text != NULL) {
		session_error(s, text);
		return;
	}
	(void)str_split(&args, ' ', &name);
	has_first = args.len != 0;
	if (has_first && !str_is(args, "=") &&
	    decode(args, data, &first.len) < 0) {
		session_error(s, BAD_BASE64);
		return;
	}
	(void)str_safe(mechanism, sizeof(mechanism), name);
	go_on(s, login_begin(&s->login, name, has_first, first), mechanism);
	explicit_bzero(data, first.len);
}
