#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "spf_table.h"
#include "tag_list.h"

void
check_set(
    struct check_result *r, enum check_status status, const char *fmt, ...)
{
	char text[CHECK_REASON_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->status = status;
	(void)str_safe(r->reason, sizeof(r->reason), str_of(text));
}

/* Are there TXT records to look at? Otherwise *out says what is wrong. */
static bool
has_txt(const struct answer *a, const char *name, struct check_result *out)
{
	switch (a->status) {
	case ANSWER_DATA:
		if (a->packet.n > 0) {
			return true;
		}
		check_set(out, CHECK_WRONG, "malformed TXT record at %s", name);
		return false;
	case ANSWER_TEMPORARY:
		check_set(out, CHECK_TEMPORARY, "cannot look up %s: %s", name,
		    a->reason);
		return false;
	case ANSWER_NODATA:
	case ANSWER_NXDOMAIN:
		break;
	}
	check_set(out, CHECK_MISSING, "no TXT record at %s", name);
	return false;
}

void
check_token(const struct answer *a, const char *name, struct str token,
    struct check_result *out)
{
	if (!has_txt(a, name, out)) {
		return;
	}
	for (unsigned i = 0; i < a->packet.n; i++) {
		if (str_eq(str_trim(packet_data(&a->packet, i)), token)) {
			check_set(out, CHECK_OK, "found at %s", name);
			return;
		}
	}
	check_set(out, CHECK_MISSING, "no TXT record at %s is the token", name);
}

/* ---- DKIM --------------------------------------------------------------- */

/* The next character of base64 text, 0 at its end; padding is none. */
static char
next_base64(struct str *s)
{
	while (s->len > 0) {
		char c = s->p[0];

		s->p++;
		s->len--;
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n' &&
		    c != '=') {
			return c;
		}
	}
	return 0;
}

static bool
is_same_base64(struct str a, struct str b)
{
	char c;

	do {
		c = next_base64(&a);
		if (c != next_base64(&b)) {
			return false;
		}
	} while (c != 0);
	return true;
}

/* What is wrong with the published record, or NULL. */
static const char *
compare_keys(const struct tag_list *t, const struct tag_list *expected)
{
	struct str p = tag_list_get(t, "p", "");

	if (!str_is(tag_list_get(t, "v", "DKIM1"), "DKIM1")) {
		return "is not of version DKIM1";
	}
	if (!tag_list_has(t, "p")) {
		return "has no p= tag";
	}
	if (p.len == 0) {
		return "revokes the key: p= is empty";
	}
	if (!str_eq_case(tag_list_get(t, "k", "rsa"),
		tag_list_get(expected, "k", "rsa"))) {
		return "is for another algorithm: see k=";
	}
	if (!is_same_base64(p, tag_list_get(expected, "p", ""))) {
		return "has another key";
	}
	if (tag_list_has(t, "h") &&
	    !tag_value_has(tag_list_get(t, "h", ""), "sha256")) {
		return "does not allow SHA-256: see h=";
	}
	if (!tag_value_has(tag_list_get(t, "s", "*"), "*") &&
	    !tag_value_has(tag_list_get(t, "s", "*"), "email")) {
		return "is not for mail: see s=";
	}
	return NULL;
}

void
check_dkim(const struct answer *a, const char *name, struct str expected,
    struct check_result *out)
{
	struct tag_list t, e;
	const char *wrong;

	if (!has_txt(a, name, out)) {
		return;
	}
	if (a->packet.n > 1) {
		/* RFC 6376 section 3.6.2.2: then results are undefined */
		check_set(out, CHECK_WRONG,
		    "%u TXT records at %s: only one "
		    "may be",
		    a->packet.n, name);
		return;
	}
	if (tag_list_parse(packet_data(&a->packet, 0), &t) < 0) {
		check_set(out, CHECK_WRONG,
		    "record at %s is not a DKIM key record", name);
		return;
	}
	if (tag_list_parse(expected, &e) < 0) {
		check_set(out, CHECK_SKIPPED, "no key is made yet");
		return;
	}
	wrong = compare_keys(&t, &e);
	if (wrong != NULL) {
		check_set(out, CHECK_WRONG, "record at %s %s", name, wrong);
	} else if (tag_value_has(tag_list_get(&t, "t", ""), "y")) {
		check_set(out, CHECK_OK,
		    "found at %s; its t=y says that it is a test", name);
	} else {
		check_set(out, CHECK_OK, "found at %s", name);
	}
}

/* ---- the bounce name ---------------------------------------------------- */

static bool
has_exchange(const struct answer *a, struct str name)
{
	for (unsigned i = 0; a->status == ANSWER_DATA && i < a->packet.n; i++) {
		if (str_eq_case(packet_data(&a->packet, i), name)) {
			return true;
		}
	}
	return false;
}

static bool
leads_to(const struct answer *a, const struct answer *a_target,
    const char *name, const char *target, const char *own)
{
	if (strcasecmp(name, target) == 0 || has_exchange(a, str_of(target)) ||
	    has_exchange(a, str_of(own))) {
		return true;
	}
	for (unsigned i = 0; i < a->packet.n_aliases; i++) {
		if (str_eq_case(packet_alias(&a->packet, i), str_of(target))) {
			return true;
		}
	}
	for (unsigned i = 0; a->status == ANSWER_DATA && i < a->packet.n; i++) {
		if (has_exchange(a_target, packet_data(&a->packet, i))) {
			return true;
		}
	}
	return false;
}

void
check_bounce(const struct answer *a, const struct answer *a_target,
    const char *name, const char *target, const char *own,
    struct check_result *out)
{
	const struct packet *k = &a->packet;

	if (a->status == ANSWER_TEMPORARY) {
		check_set(out, CHECK_TEMPORARY, "cannot look up %s: %s", name,
		    a->reason);
	} else if (leads_to(a, a_target, name, target, own)) {
		check_set(out, CHECK_OK, "%s leads to %s", name, target);
	} else if (k->n > 0 && a_target->status == ANSWER_TEMPORARY) {
		check_set(out, CHECK_TEMPORARY, "cannot look up %s: %s", target,
		    a_target->reason);
	} else if (k->n > 0) {
		check_set(out, CHECK_WRONG, "the MX of %s is %.*s, not %s",
		    name, STR_ARG(packet_data(k, 0)), target);
	} else if (k->n_aliases > 0) {
		check_set(out, CHECK_WRONG,
		    "the CNAME of %s leads to %.*s, not %s", name,
		    STR_ARG(packet_alias(k, k->n_aliases - 1)), target);
	} else {
		check_set(
		    out, CHECK_MISSING, "no CNAME or MX record at %s", name);
	}
}

/* ---- DMARC and SPF ------------------------------------------------------ */

/* RFC 7489 section 6.6.3: others at the name do not count. */
static bool
is_dmarc(struct str txt)
{
	struct str head;

	return str_split(&txt, ';', &head) && str_split(&head, '=', &txt) &&
	    str_is(str_trim(txt), "v") && str_is(str_trim(head), "DMARC1");
}

static bool
is_policy(struct str p)
{
	return str_eq_case(p, STR("none")) ||
	    str_eq_case(p, STR("quarantine")) || str_eq_case(p, STR("reject"));
}

void
check_dmarc(const struct answer *a, const char *name, struct check_result *out)
{
	struct tag_list t;
	struct str record = { 0 };
	unsigned n = 0;

	if (!has_txt(a, name, out)) {
		return;
	}
	for (unsigned i = 0; i < a->packet.n; i++) {
		if (is_dmarc(packet_data(&a->packet, i))) {
			record = packet_data(&a->packet, i);
			n++;
		}
	}
	if (n == 0) {
		check_set(out, CHECK_MISSING, "no v=DMARC1 record at %s", name);
	} else if (n > 1) {
		check_set(out, CHECK_WRONG,
		    "%u v=DMARC1 records at %s: only one may be", n, name);
	} else if (tag_list_parse(record, &t) < 0 ||
	    !is_policy(tag_list_get(&t, "p", ""))) {
		check_set(out, CHECK_WRONG,
		    "record at %s has no policy: p=none, p=quarantine or "
		    "p=reject",
		    name);
	} else {
		check_set(out, CHECK_OK, "found at %s: p=%.*s", name,
		    STR_ARG(tag_list_get(&t, "p", "")));
	}
}

bool
check_spf(const struct answer *a, const char *name, struct check_result *out)
{
	unsigned n = 0;
	size_t longest = 0;

	if (!has_txt(a, name, out)) {
		return false;
	}
	for (unsigned i = 0; i < a->packet.n; i++) {
		struct str txt = packet_data(&a->packet, i);

		if (spf_is_record(txt)) {
			longest = txt.len > longest ? txt.len : longest;
			n++;
		}
	}
	if (n == 0) {
		check_set(out, CHECK_MISSING, "no v=spf1 record at %s", name);
	} else if (n > 1) { /* RFC 7208 section 4.5 */
		check_set(out, CHECK_WRONG,
		    "%u v=spf1 records at %s: only one may be", n, name);
	} else if (longest > SPF_RECORD_MAX) {
		check_set(out, CHECK_WRONG,
		    "the v=spf1 record at %s is longer than %u bytes", name,
		    (unsigned)SPF_RECORD_MAX);
	} else {
		return true;
	}
	return false;
}
