#include "records.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "conf.h"
#include "domain.h"
#include "plan.h"

void
records_selector(uint32_t account, uint64_t wall_us, char letter, char *dst)
{
	time_t t = (time_t)(wall_us / US_PER_S);
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm); /* fails after the year 2^31 only */
	snprintf(dst, SELECTOR_SIZE, "pb%u-%04u%02u%c", account,
	    (unsigned)(tm.tm_year + 1900) % 10000,
	    (unsigned)(tm.tm_mon + 1) % 100, letter);
}

/* prefix: labels before the domain, with their dot. */
static void
begin(struct record *r, const char *purpose, const char *type,
    struct str prefix, const struct schema_domain *d)
{
	*r = (struct record){ .purpose = purpose, .type = type };
	buf_printf(&r->name, "%.*s%.*s.", STR_ARG(prefix), STR_ARG(d->name));
}

static void
add_dkim(struct record *r, const char *purpose, const struct schema_domain *d,
    struct str selector, struct str value)
{
	*r = (struct record){ .purpose = purpose, .type = "TXT" };
	buf_printf(&r->name, "%.*s._domainkey.%.*s.", STR_ARG(selector),
	    STR_ARG(d->name));
	buf_printf(&r->value, "%.*s", STR_ARG(value));
}

static struct record *
add_keys(struct record *r, const struct schema_domain *d)
{
	add_dkim(r, "dkim", d, d->selector1, d->record1);
	r->is_required = true;
	r->status = d->dkim1_status;
	r->reason = d->dkim1_reason;
	r++;
	if (d->selector2.len > 0) {
		add_dkim(r, "dkim", d, d->selector2, d->record2);
		r->status = d->dkim2_status;
		r->reason = d->dkim2_reason;
		r++;
	}
	return r;
}

/* The keys that come, or have gone. */
static struct record *
add_other_keys(struct record *r, const struct schema_domain *d)
{
	bool is_gone =
	    d->rotation == ROTATION_REMOVE || d->rotation == ROTATION_CANCEL;
	const char *purpose = is_gone	   ? "dkim-remove"
	    : d->rotation == ROTATION_KEEP ? "dkim-last"
					   : "dkim-next";

	if (d->rotation == ROTATION_NONE) {
		return r;
	}
	add_dkim(r, purpose, d, d->other1, d->other_record1);
	r->status = d->other1_status;
	r->reason = d->other1_reason;
	r++;
	if (d->other2.len > 0) {
		add_dkim(r, purpose, d, d->other2, d->other_record2);
		r->status = d->other2_status;
		r->reason = d->other2_reason;
		r++;
	}
	return r;
}

static int
add_source(void *arg, const char *word, size_t len)
{
	struct domain_ip ip;

	if (domain_ip_parse(word, len, &ip) == 0) {
		buf_printf(arg, " %s:%.*s",
		    memchr(word, ':', len) != NULL ? "ip6" : "ip4", (int)len,
		    word);
	}
	return 0;
}

static void
add_spf(struct record *r, const struct schema_domain *d,
    const struct records_site *site)
{
	struct buf sources = { 0 };

	begin(r, "spf", "TXT", STR(""), d);
	(void)conf_list_each(site->sources, add_source, &sources);
	if (sources.len == 0) {
		buf_printf(&sources, " a:%s", site->myhostname);
	}
	buf_printf(&r->value, "v=spf1%.*s ~all", STR_ARG(buf_str(&sources)));
	buf_fini(&sources);
	r->status = d->spf_status;
	r->reason = d->spf_reason;
}

size_t
records_of(const struct schema_domain *d, const struct records_site *site,
    struct record *out)
{
	struct record *r = out;

	begin(r, "verification", "TXT", STR(""), d);
	buf_printf(&r->value, "%.*s", STR_ARG(d->token));
	r->status = d->token_status;
	r->reason = d->token_reason;
	r++;
	r = add_other_keys(add_keys(r, d), d);
	begin(r, "bounce", "CNAME", STR(BOUNCE_LABEL "."), d);
	buf_printf(&r->value, "%s.", site->bounce_domain);
	r->status = d->bounce_status;
	r->reason = d->bounce_reason;
	r++;
	add_spf(r++, d, site);
	begin(r, "dmarc", "TXT", STR("_dmarc."), d);
	buf_puts(&r->value, "v=DMARC1; p=none");
	r->status = d->dmarc_status;
	r->reason = d->dmarc_reason;
	r++;
	return (size_t)(r - out);
}

void
records_fini(struct record *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_fini(&r[i].name);
		buf_fini(&r[i].value);
	}
}

const char *
records_status(uint8_t status)
{
	switch ((enum check_status)status) {
	case CHECK_OK:
		return "ok";
	case CHECK_MISSING:
		return "missing";
	case CHECK_WRONG:
		return "wrong";
	case CHECK_TEMPORARY:
		return "temporary";
	case CHECK_SKIPPED:
		return "unchecked";
	}
	return "unknown";
}

const char *
records_state(uint8_t state)
{
	switch ((enum domain_state)state) {
	case DOMAIN_PENDING:
		return "pending";
	case DOMAIN_VERIFIED:
		return "verified";
	case DOMAIN_FAILED:
		return "failed";
	}
	return "unknown";
}

/* What cannot be told now leaves what was known. */
static void
take(uint8_t status, struct str reason, uint8_t *old, struct str *old_reason)
{
	if (status != CHECK_TEMPORARY || *old != CHECK_OK) {
		*old = status;
		*old_reason = reason;
	}
}

bool
records_judge(struct schema_domain *d, const struct ipc_domain_rep *rep,
    uint64_t now_us, uint64_t grace_us)
{
	uint8_t before = d->state;

	if (rep == NULL) {
		return false;
	}
	d->checked_us = now_us;
	take(rep->token, rep->token_reason, &d->token_status, &d->token_reason);
	take(rep->dkim1, rep->dkim1_reason, &d->dkim1_status, &d->dkim1_reason);
	take(rep->dkim2, rep->dkim2_reason, &d->dkim2_status, &d->dkim2_reason);
	take(rep->bounce, rep->bounce_reason, &d->bounce_status,
	    &d->bounce_reason);
	take(rep->spf, rep->spf_reason, &d->spf_status, &d->spf_reason);
	take(rep->dmarc, rep->dmarc_reason, &d->dmarc_status, &d->dmarc_reason);
	if (rep->dkim1 == CHECK_TEMPORARY) {
		return false;
	}
	if (rep->dkim1 == CHECK_OK) {
		d->failing_us = 0;
		d->verified_us =
		    before == DOMAIN_VERIFIED ? d->verified_us : now_us;
		d->state = DOMAIN_VERIFIED;
	} else if (before == DOMAIN_VERIFIED) {
		d->failing_us = d->failing_us != 0 ? d->failing_us : now_us;
		if (now_us - d->failing_us >= grace_us) {
			d->state = DOMAIN_FAILED;
			d->verified_us = 0;
		}
	}
	return d->state != before;
}
