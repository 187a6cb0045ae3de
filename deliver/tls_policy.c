#include "tls_policy.h"

#include "event.h"
#include "service.h"

struct known {
	struct str table;
	uint32_t flags;
};

/* A rung: false when it has nothing to say. */
typedef bool rung_fn(const struct known *k, struct tls_policy *out);

struct level_name {
	const char *word;
	enum tls_level level;
	const char *name; /* what it amounts to, for results */
};

/* dane is worth what validated TLSA records say; without any it is may
 * (RFC 7672 section 2.2), and is recorded as that. */
static const struct level_name level_names[] = {
	{ "none", TLS_NONE, "none" },
	{ "may", TLS_MAY, "may" },
	{ "encrypt", TLS_ENCRYPT, "encrypt" },
	{ "dane", TLS_MAY, "may" },
};

static bool
by_name(struct str word, const char *source, struct tls_policy *out)
{
	for (size_t i = 0; i < array_len(level_names); i++) {
		if (str_is(word, level_names[i].word)) {
			out->level = level_names[i].level;
			out->name = level_names[i].name;
			out->source = source;
			return true;
		}
	}
	return false;
}

/* RFC 8689 section 4.2.1: TLS with a certificate that can be verified. */
static bool
requiretls_rung(const struct known *k, struct tls_policy *out)
{
	*out = (struct tls_policy){ TLS_VERIFY, "encrypt", "requiretls" };
	return (k->flags & MESSAGE_REQUIRETLS) != 0;
}

static bool
learned_rung(const struct known *k, struct tls_policy *out)
{
	*out = (struct tls_policy){ TLS_ENCRYPT, "learned", "learned" };
	return str_is(k->table, "learned");
}

static bool
table_rung(const struct known *k, struct tls_policy *out)
{
	return by_name(k->table, "table", out);
}

static bool
default_rung(const struct known *k, struct tls_policy *out)
{
	(void)k;
	return by_name(str_of(conf()->smtp_tls_level), "default", out);
}

static rung_fn *const ladder[] = {
	requiretls_rung,
	learned_rung,
	table_rung,
	default_rung,
};

struct tls_policy
tls_policy_decide(struct str table, uint32_t flags)
{
	const struct known k = { table, flags };
	struct tls_policy best = { TLS_NONE, "none", "default" };
	bool is_found = false;

	for (size_t i = 0; i < array_len(ladder); i++) {
		struct tls_policy p;

		if (!ladder[i](&k, &p)) {
			continue;
		}
		/* The administrator's word for a site replaces the default,
		 * even with less. */
		if (ladder[i] == default_rung && is_found) {
			break;
		}
		if (!is_found || p.level > best.level) {
			best = p;
			is_found = true;
		}
	}
	return best;
}
