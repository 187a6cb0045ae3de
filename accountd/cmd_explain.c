/*
 * explain.submit: what a client that submits a mail would hear, and what goes
 * with the mail into the queue. For pbexplain(1).
 */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "clock.h"
#include "commands.h"
#include "domain.h"
#include "explain.h"
#include "plan.h"
#include "service.h"
#include "settings.h"
#include "sources.h"
#include "standing.h"
#include "suppression.h"
#include "suppressions.h"
#include "tx.h"

struct question {
	struct tool *t;
	const struct account *account; /* or subaccount */
	uint32_t id;
	uint32_t sub;
	struct tx_judged j;
};

#define NAME_SIZE 160

static const char *
name_of(const struct question *q, char *dst, const char *prefix)
{
	(void)snprintf(dst, NAME_SIZE, "%s %s", prefix, q->account->full_name);
	return dst;
}

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

/* ---- whose mail ----------------------------------------------------------
 */

/* The one account whose verified domain contains the sender's. */
static const struct account *
owner_of(struct tool *t, struct str name)
{
	const struct account *found = NULL;
	const struct account *a;
	size_t at = 0;

	while ((a = model_next_account(accountd.model, &at)) != NULL) {
		if (a->r.parent != 0 ||
		    model_domain_within(accountd.model, a->r.id, name,
			DOMAIN_VERIFIED) == NULL) {
			continue;
		}
		if (found != NULL) {
			tool_end(t, EX_USAGE,
			    "%s and %s both have the sender's domain: name "
			    "one with -a",
			    found->full_name, a->full_name);
			return NULL;
		}
		found = a;
	}
	if (found == NULL) {
		tool_end(t, EX_USAGE,
		    "no account has the sender's domain: name one with -a");
	}
	return found;
}

static const struct account *
find_account(struct tool *t, const struct key *k)
{
	char name[DOMAIN_NAME_MAX + 1];
	struct str domain = domain_of(str_of(tool_arg(t, "from")));
	ssize_t n;

	if (tool_arg(t, "account")[0] != '\0') {
		return command_account(t);
	}
	if (k != NULL) {
		return model_account(accountd.model,
		    k->r.subaccount != 0 ? k->r.subaccount : k->r.account);
	}
	n = domain_to_ascii(
	    domain.p, domain.len, DOMAIN_UNDERSCORE, name, sizeof(name));
	return owner_of(t, (struct str){ name, n > 0 ? (size_t)n : 0 });
}

/* False: the tool is told that there is no such key. */
static bool
find_key(struct tool *t, const struct key **out)
{
	char safe[64];

	*out = NULL;
	if (tool_arg(t, "key")[0] == '\0') {
		return true;
	}
	*out = model_key(accountd.model, command_number(t, "key"));
	if (*out == NULL) {
		tool_end(t, EX_NOUSER, "there is no key %s",
		    str_safe(safe, sizeof(safe), str_of(tool_arg(t, "key"))));
	}
	return *out != NULL;
}

/* ---- the verdict ---------------------------------------------------------
 */

static void
judge(struct question *q, const struct key *key)
{
	struct str sender = str_of(tool_arg(q->t, "sender"));
	struct str from = str_of(tool_arg(q->t, "from"));
	struct str rcpt = str_of(tool_arg(q->t, "recipient"));
	uint16_t len = (uint16_t)rcpt.len;
	struct buf rcpts = { 0 };
	struct ipc_tx_req m = {
		.account = q->id,
		.subaccount = q->sub,
		.key = key != NULL ? key->r.id : 0,
		.sender = sender,
		.from_domain = domain_of(from),
		.header_from = from,
		.nrcpt = 1,
	};

	buf_add(&rcpts, &len, sizeof(len));
	buf_add(&rcpts, rcpt.p, len);
	m.rcpts = buf_str(&rcpts);
	tx_judge(&m, &q->j);
	buf_fini(&rcpts);
}

/* The record that a refusal is about. */
static const char *
refusal_by(const struct question *q, char *dst)
{
	switch (q->j.v.about) {
	case VERDICT_ACCOUNT:
	case VERDICT_SUBACCOUNT:
		return name_of(q, dst, "pbaccount:");
	case VERDICT_KEY:
		return "pbkey: the key";
	case VERDICT_MESSAGE:
		return "the From field";
	case VERDICT_DOMAIN:
		return name_of(q, dst, "pbdomain: the domains of");
	case VERDICT_RECIPIENTS:
		return "the database";
	}
	return NULL;
}

static void
put_refusal(struct question *q)
{
	static const char *const names[] = {
		[VERDICT_ACCOUNT] = "account",
		[VERDICT_KEY] = "key",
		[VERDICT_SUBACCOUNT] = "account",
		[VERDICT_MESSAGE] = "message",
		[VERDICT_DOMAIN] = "domain",
		[VERDICT_RECIPIENTS] = "suppression",
	};
	const struct verdict *v = &q->j.v;
	char by[NAME_SIZE];

	explain_put(q->t,
	    &(struct explain){ .decision = names[v->about],
		.outcome = EXPLAIN_REFUSE,
		.by = refusal_by(q, by),
		.details = json_pack(
		    "{s:i, s:s}", "code", (int)v->code, "enhanced", v->enh) },
	    "%u %s %s", v->code, v->enh, v->text);
}

static void
put_account(struct question *q)
{
	const struct verdict *v = &q->j.v;
	bool is_paused = (v->flags & TX_HELD) != 0;
	char by[NAME_SIZE];

	explain_put(q->t,
	    &(struct explain){ .decision = "account",
		.outcome = is_paused ? EXPLAIN_WAIT : EXPLAIN_GO,
		.by = name_of(q, by, "pbaccount: status of"),
		.details = json_pack("{s:s}", "name", q->account->full_name) },
	    "%s is %s", q->account->full_name,
	    is_paused ? "paused: its mail is accepted and held" : "active");
}

static void
put_key(struct question *q, const struct key *k)
{
	bool is_test = (q->j.v.flags & TX_TEST) != 0;
	char from[320];
	char networks[320];
	char methods[320];

	if (k == NULL) {
		return;
	}
	explain_put(q->t,
	    &(struct explain){ .decision = "key",
		.outcome = is_test ? EXPLAIN_STOP : EXPLAIN_GO,
		.by = "pbkey: the key",
		.details = json_pack("{s:I, s:b}", "key", (json_int_t)k->r.id,
		    "test", (int)is_test) },
	    "%u is active%s; networks %s, methods %s, From %s", k->r.id,
	    is_test ? ", a test key: the mail is recorded, not sent" : "",
	    k->r.networks.len == 0
		? "any"
		: str_safe(networks, sizeof(networks), k->r.networks),
	    k->r.methods.len == 0
		? "any"
		: str_safe(methods, sizeof(methods), k->r.methods),
	    k->r.from.len == 0 ? "any"
			       : str_safe(from, sizeof(from), k->r.from));
}

static void
put_domain(struct question *q)
{
	const struct schema_domain *d = q->j.in.from;
	char by[NAME_SIZE];

	if (d == NULL) {
		explain_put(q->t,
		    &(struct explain){ .decision = "domain",
			.by = name_of(q, by, "pbaccount: unsigned=allow of"),
			.details = json_pack("{s:b}", "verified", 0) },
		    "%.*s is %s, and unsigned mail is allowed",
		    STR_ARG(domain_of(str_of(tool_arg(q->t, "from")))),
		    q->j.in.from_state < 0
			? "no domain of the account"
			: records_state((uint8_t)q->j.in.from_state));
		return;
	}
	explain_put(q->t,
	    &(struct explain){ .decision = "domain",
		.by = name_of(q, by, "pbdomain: a domain of"),
		.details = json_pack("{s:o, s:b, s:o, s:o}", "domain",
		    command_text(d->name), "verified", 1, "since",
		    command_time(d->verified_us), "checked",
		    command_time(d->checked_us)) },
	    "%.*s is verified", STR_ARG(d->name));
}

/* ---- suppression ---------------------------------------------------------
 */

static json_t *
details_of(const struct schema_suppression *e, const char *reason)
{
	return json_pack("{s:s, s:o, s:o, s:o}", "reason", reason, "detail",
	    command_text(e->detail), "created", command_time(e->created_us),
	    "expires", command_time(e->expires_us));
}

/* The entry of the account (sub 0) or subaccount; what it says. False: there
 * is none. */
static bool
put_entry(struct question *q, uint32_t sub, bool is_suppressed)
{
	struct str address = str_of(tool_arg(q->t, "recipient"));
	struct schema_suppression e;
	struct buf value = { 0 };
	char reason[40];
	char expires[32];
	json_t *until;
	bool is_allow;
	bool is_over;
	bool is_there = suppressions_get(accountd.store, NULL, q->id, sub,
			    address, &value, &e) == 0;

	if (!is_there) {
		buf_fini(&value);
		return false;
	}
	is_allow = str_is(e.reason, SUPPRESSION_ALLOW);
	is_over = e.expires_us != 0 && e.expires_us <= q->j.in.now_us;
	is_suppressed = is_suppressed && !is_allow && !is_over;
	until = command_time(e.expires_us);
	str_copy(expires, sizeof(expires), str_of(json_string_value(until)));
	json_decref(until);
	str_safe(reason, sizeof(reason), e.reason);
	explain_put(q->t,
	    &(struct explain){ .decision = "suppression",
		.outcome = is_suppressed ? EXPLAIN_STOP : EXPLAIN_GO,
		.by = sub != 0 ? "pbsuppress: an entry of the subaccount"
			       : "pbsuppress: an entry of the account",
		.details = details_of(&e, reason) },
	    "the recipient is %s: %s%s%s",
	    is_suppressed  ? "suppressed"
		: is_allow ? "never suppressed"
			   : "not suppressed any more",
	    reason,
	    expires[0] != '\0' ? (is_over ? ", ended " : ", until ") : "",
	    expires);
	buf_fini(&value);
	return true;
}

static void
put_suppression(struct question *q)
{
	bool is_suppressed = q->j.suppressed.len > 0;
	bool is_told = false;

	if (q->j.sub != 0) {
		is_told = put_entry(q, q->j.sub, is_suppressed);
	}
	if (!put_entry(q, 0, is_suppressed) && !is_told) {
		explain_put(q->t,
		    &(struct explain){ .decision = "suppression",
			.by = "pbsuppress: no entry" },
		    "the recipient is on no list");
	}
}

/* ---- quota, class, pool, return path -------------------------------------
 */

static void
put_quota(struct question *q, const struct account *a)
{
	bool is_by_hand;
	uint32_t quota = standing_quota(a, &is_by_hand);
	int64_t score = standing_score(a->r.id);
	char by[128];

	(void)snprintf(by, sizeof(by),
	    is_by_hand ? "pbaccount: quota set by hand"
		       : "reputation_quotas, at a reputation of %lld",
	    (long long)(score / 1000));
	explain_put(q->t,
	    &(struct explain){ .decision = "quota",
		.by = by,
		.details = json_pack("{s:s, s:I, s:s, s:I}", "account",
		    a->full_name, "limit", (json_int_t)quota, "moved_by",
		    is_by_hand ? "hand" : "reputation", "reputation",
		    (json_int_t)(score / 1000)) },
	    quota == 0 ? "%s: no limit" : "%s: %u recipients an hour",
	    a->full_name, quota);
}

static void
put_quotas(struct question *q)
{
	const struct account *main = model_account(accountd.model, q->id);
	const struct account *sub =
	    q->j.sub != 0 ? model_account(accountd.model, q->j.sub) : NULL;

	if (sub != NULL) {
		put_quota(q, sub);
	}
	if (main != NULL) {
		put_quota(q, main);
	}
}

static void
put_class(struct question *q)
{
	const char *class = mail_class_name((enum mail_class)q->j.v.class);
	char by[NAME_SIZE];

	explain_put(q->t,
	    &(struct explain){ .decision = "class",
		.by = name_of(q, by, "pbaccount: class of"),
		.details = json_pack("{s:s}", "class", class) },
	    "%s, unless the message names another", class);
}

/* Addresses of the pool that accountd keeps out of service. */
static json_t *
resting(struct str pool)
{
	json_t *all = json_array();
	const struct source *s;
	size_t at = 0;

	while ((s = model_next_source(accountd.model, &at)) != NULL) {
		if (str_eq(s->r.pool, pool) && s->r.state != SOURCE_GOOD) {
			(void)json_array_append_new(all,
			    json_pack("{s:o, s:s, s:o}", "address",
				command_text(s->r.ip), "state",
				source_state_name(s->r.state), "reason",
				command_text(s->r.reason)));
		}
	}
	return all;
}

static void
put_pool(struct question *q)
{
	struct str pool = q->j.v.pool;
	json_t *rest = resting(pool);
	char by[NAME_SIZE];
	char safe[80];

	explain_put(q->t,
	    &(struct explain){ .decision = "pool",
		.by = name_of(q, by, "pbaccount: pool of"),
		.details = json_pack("{s:o, s:o}", "pool", command_text(pool),
		    "out_of_service", json_incref(rest)) },
	    "%s; %zu of its addresses are out of service",
	    pool.len == 0 ? "the default pool"
			  : str_safe(safe, sizeof(safe), pool),
	    json_array_size(rest));
	json_decref(rest);
}

static void
put_return_path(struct question *q, const char *domain)
{
	const struct verdict *v = &q->j.v;
	char by[NAME_SIZE];
	char safe[300];
	const char *who = "bounce_domain: the domain has no bounce record";

	if (q->j.in.sender.len == 0) {
		who = "RFC 5321 section 4.5.5: the null sender stays";
	} else if ((v->flags & TX_PLAIN_SENDER) != 0) {
		who = name_of(q, by, "pbaccount: sender=plain of");
	} else if (v->has_return_domain) {
		who = "pbdomain: the bounce record of the domain";
	}
	(void)str_safe(safe, sizeof(safe), q->j.in.sender);
	if (domain[0] == '\0' || q->j.in.sender.len == 0) {
		explain_put(q->t,
		    &(struct explain){ .decision = "return-path",
			.by = who,
			.details = json_pack("{s:s}", "sender", safe) },
		    "<%s>, as the client gives it", safe);
		return;
	}
	explain_put(q->t,
	    &(struct explain){ .decision = "return-path",
		.by = who,
		.details = json_pack("{s:s}", "domain", domain) },
	    "bounces+TOKEN@%s", domain);
}

static void
hand_on(struct question *q, const char *return_domain)
{
	const struct schema_domain *d = q->j.in.from;

	explain_facts(q->t,
	    json_pack("{s:I, s:I, s:o, s:o, s:o, s:i}", "account",
		(json_int_t)q->id, "subaccount", (json_int_t)q->j.sub,
		"sign_domain", command_text(q->j.v.sign_domain),
		"return_domain", json_string(return_domain), "pool",
		command_text(q->j.v.pool), "unsigned", d == NULL));
}

static void
explain_submit(struct tool *t)
{
	struct question q = { .t = t };
	char return_domain[TX_RETURN_DOMAIN_SIZE];
	const struct key *key;

	if (strlen(tool_arg(t, "recipient")) > SUPPRESSION_ADDRESS_MAX) {
		tool_end(t, EX_DATAERR, "the recipient is too long");
		return;
	}
	if (!find_key(t, &key)) {
		return;
	}
	q.account = find_account(t, key);
	if (q.account == NULL) {
		return;
	}
	command_ids(q.account, &q.id, &q.sub);
	judge(&q, key);
	if (q.j.v.code != 0) {
		put_refusal(&q);
	} else {
		tx_return_domain(&q.j.v, return_domain);
		put_account(&q);
		put_key(&q, key);
		put_domain(&q);
		put_suppression(&q);
		put_quotas(&q);
		put_class(&q);
		put_return_path(&q, return_domain);
		put_pool(&q);
		hand_on(&q, return_domain);
	}
	tx_judged_fini(&q.j);
	tool_end(t, EX_OK, NULL);
}

const struct command explain_commands[] = {
	{ "explain.submit", explain_submit },
	{ 0 },
};
