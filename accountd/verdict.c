#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "domain.h"
#include "header.h"
#include "plan.h"
#include "settings.h"

#define SAFE_MAX 260

static void PRINTF(4, 5) refuse(struct verdict *v, enum verdict_about about,
    const char *enh, const char *fmt, ...)
{
	va_list ap;

	v->code = 550;
	v->about = about;
	snprintf(v->enh, sizeof(v->enh), "%s", enh);
	va_start(ap, fmt);
	(void)vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

static bool
key_is_good(const struct verdict_input *in, struct verdict *v)
{
	const struct schema_key *key = in->key;

	if (!in->has_key) {
		return true;
	}
	if (key == NULL || key->revoked_us != 0) {
		refuse(v, VERDICT_KEY, "5.7.1", "The API key was revoked");
		return false;
	}
	if (key->expires_us != 0 && key->expires_us <= in->now_us) {
		refuse(v, VERDICT_KEY, "5.7.1", "The API key has expired");
		return false;
	}
	return true;
}

static bool
sub_is_good(const struct verdict_input *in, struct verdict *v)
{
	char safe[SAFE_MAX];

	if (in->want_sub.len > 0 && !in->want_sub_exists) {
		refuse(v, VERDICT_SUBACCOUNT, "5.7.1", "Unknown subaccount %s",
		    str_safe(safe, sizeof(safe), in->want_sub));
		return false;
	}
	if (in->key != NULL && in->key->subaccount != 0 &&
	    (in->sub == NULL || in->sub->id != in->key->subaccount)) {
		refuse(v, VERDICT_KEY, "5.7.1",
		    "The API key is for another subaccount");
		return false;
	}
	return true;
}

/* Is the one address of From the address that the key is limited to? */
static bool
is_address(struct str header_from, struct str address)
{
	struct header_mailbox m[2];
	struct header_mailbox want[1];
	size_t n = 0;
	size_t n_want = 0;

	return header_mailboxes(
		   header_from.p, header_from.len, m, array_len(m), &n) == 0 &&
	    n == 1 &&
	    header_mailboxes(
		address.p, address.len, want, array_len(want), &n_want) == 0 &&
	    n_want == 1 &&
	    str_eq_case((struct str){ m[0].local, m[0].local_len },
		(struct str){ want[0].local, want[0].local_len }) &&
	    str_eq_case((struct str){ m[0].domain, m[0].domain_len },
		(struct str){ want[0].domain, want[0].domain_len });
}

static bool
key_allows_from(const struct verdict_input *in, struct verdict *v)
{
	struct str from = in->key != NULL ? in->key->from : (struct str){ 0 };
	char safe[SAFE_MAX];
	bool ok;

	if (from.len == 0) {
		return true;
	}
	ok = memchr(from.p, '@', from.len) != NULL
	    ? is_address(in->header_from, from)
	    : domain_is_within(
		  in->from_domain.p, in->from_domain.len, from.p, from.len);
	if (!ok) {
		refuse(v, VERDICT_KEY, "5.7.1",
		    "The API key may only send from %s",
		    str_safe(safe, sizeof(safe), from));
	}
	return ok;
}

static bool
from_is_verified(const struct verdict_input *in, struct verdict *v)
{
	char safe[SAFE_MAX];
	const char *todo = "add it with pbdomain and publish its records";

	if (in->from != NULL) {
		return true;
	}
	if (in->from_state == DOMAIN_PENDING) {
		todo = "publish the records that pbdomain shows";
	} else if (in->from_state == DOMAIN_FAILED) {
		todo = "its records are gone, see pbdomain";
	}
	refuse(v, VERDICT_DOMAIN, "5.7.1",
	    "Domain %s is not verified for this account: unsigned; %s",
	    str_safe(safe, sizeof(safe), in->from_domain), todo);
	return false;
}

/* Mail that keeps its MAIL FROM claims that domain towards the world, too. */
static bool
sender_is_verified(const struct verdict_input *in, struct verdict *v)
{
	char safe[SAFE_MAX];

	if (in->sender.len == 0 || in->sender_domain != NULL) {
		return true;
	}
	refuse(v, VERDICT_DOMAIN, "5.7.1",
	    "Sender %s is in no verified domain of this account: unsigned; "
	    "add its domain with pbdomain",
	    str_safe(safe, sizeof(safe), in->sender));
	return false;
}

/* Nor is a pool that may not be used. */
static struct str
choose_pool(
    const struct verdict_input *in, const struct settings *s, struct verdict *v)
{
	struct str want = in->want_pool;

	if (want.len == 0) {
		return s->pool;
	}
	if (str_is(want, POOL_DEFAULT)) {
		return STR("");
	}
	v->is_pool_ignored =
	    !in->want_pool_exists || !settings_allow_pool(s, want);
	return v->is_pool_ignored ? s->pool : want;
}

static void
accept_message(
    const struct verdict_input *in, const struct settings *s, struct verdict *v)
{
	enum mail_class class;

	/* A class we do not know is no reason to refuse mail. */
	if (mail_class_parse(in->want_class, &class) < 0) {
		class = s->class;
	}
	v->class = (uint8_t) class;
	v->pool = choose_pool(in, s, v);
	v->flags = (s->is_paused ? TX_HELD : 0) |
	    (s->plain_sender ? TX_PLAIN_SENDER : 0) |
	    (in->key != NULL && in->key->is_test ? TX_TEST : 0);
	if (in->from != NULL) {
		v->sign_domain = in->from->name;
		v->has_return_domain = in->from->bounce_status == CHECK_OK;
	}
}

void
verdict_make(const struct verdict_input *in, struct verdict *out)
{
	struct settings s;

	*out = (struct verdict){ 0 };
	if (in->account == NULL) {
		refuse(out, VERDICT_ACCOUNT, "5.7.1",
		    "The account no longer exists");
		return;
	}
	if (!key_is_good(in, out) || !sub_is_good(in, out)) {
		return;
	}
	settings_of(in->account, in->sub, &s);
	if (in->from_domain.len == 0) {
		refuse(out, VERDICT_MESSAGE, "5.6.0",
		    "The message needs one From field with an address");
		return;
	}
	if (!key_allows_from(in, out)) {
		return;
	}
	if (!s.unsigned_ok &&
	    (!from_is_verified(in, out) ||
		(s.plain_sender && !sender_is_verified(in, out)))) {
		return;
	}
	accept_message(in, &s, out);
}
