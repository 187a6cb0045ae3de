#include "tls_policy.h"

#include "event.h"
#include "service.h"

struct level_name {
	const char *word;
	enum tls_level level;
	const char *name; /* what it amounts to, for results */
	bool wants_dane;
	bool wants_sts;
};

/* Without TLSA records dane is may (RFC 7672 section 2.2), and is recorded as
 * that. An exception from TLS that the administrator has written into the
 * table is one from MTA-STS, too. */
static const struct level_name level_names[] = {
	{ "none", TLS_NONE, "none", false, false },
	{ "may", TLS_MAY, "may", false, false },
	{ "encrypt", TLS_ENCRYPT, "encrypt", false, true },
	{ "verify", TLS_VERIFY, "verify", false, true },
	{ "dane", TLS_MAY, "may", true, true },
};

static bool
by_name(struct str word, const char *source, struct tls_policy *out)
{
	for (size_t i = 0; i < array_len(level_names); i++) {
		const struct level_name *n = &level_names[i];

		if (str_is(word, n->word)) {
			*out = (struct tls_policy){ n->level, n->name, source,
				n->wants_dane, n->wants_sts, false };
			return true;
		}
	}
	return false;
}

bool
tls_policy_is_level(struct str word)
{
	struct tls_policy p;

	return by_name(word, "", &p);
}

/* A rung that applies: it decides unless a lower one asks for more. */
static void
raise_to(struct tls_policy *p, enum tls_level level, const char *name,
    const char *source)
{
	if (level >= p->level) {
		p->level = level;
		p->name = name;
		p->source = source;
		p->is_private = false;
	}
}

static void
raise_private(struct tls_policy *p, enum tls_level level, const char *name,
    const char *source)
{
	if (level >= p->level) {
		raise_to(p, level, name, source);
		p->is_private = true;
	}
}

struct tls_policy
tls_policy_decide(struct str site, struct str table, uint32_t flags)
{
	struct tls_policy p = { .name = "none", .source = "default" };

	/* The administrator's word for a site replaces the default, even with
	 * less. */
	if (!by_name(table, "table", &p) && !by_name(site, "table", &p)) {
		(void)by_name(str_of(conf()->smtp_tls_level), "default", &p);
		p.wants_sts = true;
	}
	if (str_is(site, "learned")) {
		raise_to(&p, TLS_ENCRYPT, "learned", "learned");
	}
	/* RFC 8689 section 4.2.1: TLS with a certificate that can be
	 * verified. */
	if ((flags & MESSAGE_REQUIRETLS) != 0) {
		raise_private(&p, TLS_VERIFY, "encrypt", "requiretls");
	}
	return p;
}

void
tls_policy_smtps(struct tls_policy *p)
{
	if (p->level < TLS_ENCRYPT) {
		p->level = TLS_ENCRYPT;
		p->name = "encrypt";
	}
	if (!p->is_private) {
		p->source = "smtps";
	}
}

/* RFC 7672 section 2.2: which records there are decides, and not knowing is
 * no reason for less. */
static void
dane_rung(struct tls_policy *p, enum tls_tlsa tlsa)
{
	switch (tlsa) {
	case TLSA_NONE:
		break;
	case TLSA_UNUSABLE:
		raise_to(p, TLS_ENCRYPT, "encrypt", "dane");
		break;
	case TLSA_USABLE:
		raise_to(p, TLS_DANE, "dane", "dane");
		break;
	case TLSA_UNKNOWN:
		raise_to(p, TLS_LEAVE, "dane", "dane");
		break;
	}
}

static void
sts_rung(struct tls_policy *p, enum tls_sts sts)
{
	switch (sts) {
	case TLS_STS_FREE:
		break;
	case TLS_STS_NAMED:
		raise_private(p, TLS_VERIFY, "sts", "sts");
		break;
	case TLS_STS_REFUSED:
		raise_private(p, TLS_LEAVE, "sts", "sts");
		break;
	}
}

struct tls_policy
tls_policy_at_host(
    const struct tls_policy *job, enum tls_tlsa tlsa, enum tls_sts sts)
{
	struct tls_policy p = *job;

	if (p.wants_dane) {
		dane_rung(&p, tlsa);
	}
	/* RFC 8461 section 2: it never overrides what DANE says. */
	if (p.wants_sts && p.level < TLS_DANE) {
		sts_rung(&p, sts);
	}
	return p;
}
