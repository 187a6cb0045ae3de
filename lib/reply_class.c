#include "reply_class.h"

#include <errno.h>
#include <string.h>

#include "buf.h"

/* Text beyond this many bytes does not change the class. */
#define TEXT_MAX 2048

static const struct reason_desc reasons[REASON_N] = {
	[REASON_OTHER] = { "other", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "The reply fits no rule." },
	[REASON_BAD_MAILBOX] = { "bad_mailbox", true, true, false,
	    REASON_EVENT_BOUNCE, "The domain has no such mailbox." },
	[REASON_INACTIVE_MAILBOX] = { "inactive_mailbox", true, true, false,
	    REASON_EVENT_BOUNCE,
	    "The mailbox exists but is disabled, suspended or abandoned." },
	[REASON_BAD_DOMAIN] = { "bad_domain", true, true, false,
	    REASON_EVENT_BOUNCE,
	    "The recipient's domain does not exist or takes no mail." },
	[REASON_MAILBOX_FULL] = { "mailbox_full", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "The mailbox is over its quota." },
	[REASON_TOO_LARGE] = { "too_large", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The message is larger than the server takes." },
	[REASON_CONTENT] = { "content", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The form of the message was refused: header, MIME, encoding." },
	[REASON_ATTACHMENT] = { "attachment", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "An attachment's type was refused." },
	[REASON_VIRUS] = { "virus", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The server found malware in the message." },
	[REASON_SPAM_CONTENT] = { "spam_content", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The message was taken for spam because of what it says." },
	[REASON_SPAM_IP] = { "spam_ip", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The source address or its reputation was refused." },
	[REASON_POLICY] = { "policy", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "A rule of the recipient's site refused the message." },
	[REASON_AUTH] = { "auth", false, false, false, REASON_EVENT_SOFT_BOUNCE,
	    "SPF, DKIM or DMARC did not satisfy the server." },
	[REASON_TLS] = { "tls", false, false, false, REASON_EVENT_SOFT_BOUNCE,
	    "Encryption was required and could not be had." },
	[REASON_RATE] = { "rate", false, false, true, REASON_EVENT_SOFT_BOUNCE,
	    "Too much mail or too many connections in a time." },
	[REASON_GREYLIST] = { "greylist", false, false, true,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The server asks every new sender to come again later." },
	[REASON_TOO_MANY_RCPT] = { "too_many_rcpt", false, false, true,
	    REASON_EVENT_SOFT_BOUNCE,
	    "Too many recipients in one transaction." },
	[REASON_RELAYING] = { "relaying", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The server does not serve the recipient's domain." },
	[REASON_SENDER] = { "sender", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The sender's address or domain was refused." },
	[REASON_PROTOCOL] = { "protocol", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "A command was refused, or the server broke the protocol." },
	[REASON_CONFIG] = { "config", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "A fault of a system's set-up, ours or the server's." },
	[REASON_DNS] = { "dns", false, false, false, REASON_EVENT_SOFT_BOUNCE,
	    "A name could not be resolved for now." },
	[REASON_CONNECTION] = { "connection", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "No connection to the server, or it broke." },
	[REASON_TIMEOUT] = { "timeout", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "The server did not answer in time." },
	[REASON_ROUTING] = { "routing", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The way to the mailbox is a loop or leads nowhere." },
	[REASON_EXPIRED] = { "expired", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The message was given up after its lifetime." },
	[REASON_AUTO_REPLY] = { "auto_reply", false, false, false,
	    REASON_EVENT_AUTO_REPLY, "An answering machine wrote back." },
	[REASON_CHALLENGE] = { "challenge", false, false, false,
	    REASON_EVENT_AUTO_REPLY,
	    "The recipient's system asks the sender to prove himself." },
	[REASON_UNSUBSCRIBE] = { "unsubscribe", false, true, false,
	    REASON_EVENT_UNSUBSCRIBE, "The recipient wants no more mail." },
};

struct reply_rules {
	struct reply_rule *rules;
	size_t n;
};

/* The question in the form that rules are compared with. */
struct matter {
	unsigned code;
	uint8_t phases;
	unsigned enh[3]; /* class 0: none */
	char text[TEXT_MAX];
	size_t len;
};

const struct reason_desc *
reason_desc(enum reason r)
{
	bug_on((unsigned)r >= REASON_N);
	return &reasons[r];
}

int
reason_parse(struct str name, enum reason *out)
{
	for (unsigned i = 0; i < REASON_N; i++) {
		if (str_is(name, reasons[i].name)) {
			*out = (enum reason)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to three digits; returns how many bytes, 0 when there is no number. */
static size_t
number_scan(struct str s, unsigned *out)
{
	size_t n = 0;
	unsigned v = 0;

	while (n < s.len && n < 3 && is_digit(s.p[n])) {
		v = v * 10 + (unsigned)(s.p[n] - '0');
		n++;
	}
	if (n < s.len && n == 3 && is_digit(s.p[n])) {
		return 0;
	}
	*out = v;
	return n;
}

/* An enhanced status code (RFC 3463) at the beginning of s; its length. */
static size_t
enhanced_scan(struct str s, unsigned enh[3])
{
	unsigned v[3];
	size_t at = 0;

	if (s.len == 0) {
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		size_t n;

		if (i > 0) {
			if (at >= s.len || s.p[at] != '.') {
				return 0;
			}
			at++;
		}
		n = number_scan((struct str){ s.p + at, s.len - at }, &v[i]);
		if (n == 0) {
			return 0;
		}
		at += n;
	}
	/* An IP address is not a code: a fourth number follows. */
	if ((v[0] != 2 && v[0] != 4 && v[0] != 5) ||
	    (at + 1 < s.len && s.p[at] == '.' && is_digit(s.p[at + 1]))) {
		return 0;
	}
	memcpy(enh, v, sizeof(v));
	return at;
}

static void
enhanced_search(struct str s, unsigned enh[3])
{
	for (size_t i = 0; i < s.len; i++) {
		if (i > 0 && (is_digit(s.p[i - 1]) || s.p[i - 1] == '.')) {
			continue;
		}
		if (enhanced_scan((struct str){ s.p + i, s.len - i }, enh) >
		    0) {
			return;
		}
	}
}

/* What servers repeat before each line: "550-", "550 5.7.1 ", "5.7.1 ". */
static struct str
line_without_codes(struct str line)
{
	struct str s = line;
	unsigned enh[3];
	unsigned code;
	size_t n = number_scan(s, &code);

	if (n == 3 && code >= 200 && code < 600 && s.len > 3 &&
	    (s.p[3] == '-' || s.p[3] == ' ')) {
		s = (struct str){ s.p + 4, s.len - 4 };
	}
	n = enhanced_scan(s, enh);
	if (n > 0) {
		s = (struct str){ s.p + n, s.len - n };
	}
	return str_trim(s);
}

static void
matter_add(struct matter *m, char c)
{
	if (m->len < sizeof(m->text)) {
		m->text[m->len++] = c;
	}
}

static bool
ends_word(char c)
{
	return c == ' ' || strchr("<>()[]\"',;:", c) != NULL;
}

/* Names of mailboxes are no words about them: "spam@example.org" may be the
 * unknown user. Takes back the local part; returns how many bytes of the line
 * the rest of the address has. */
static size_t
matter_drop_address(struct matter *m, struct str rest)
{
	size_t n = 0;

	while (m->len > 0 && !ends_word(m->text[m->len - 1])) {
		m->len--;
	}
	while (n < rest.len && !ends_word(rest.p[n]) && rest.p[n] != '\t' &&
	    rest.p[n] != '\r') {
		n++;
	}
	return n;
}

/* Lower case, runs of white space as one blank, without addresses. */
static void
matter_add_line(struct matter *m, struct str line)
{
	bool is_space = m->len > 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];

		if (c == ' ' || c == '\t' || c == '\r') {
			is_space = true;
			continue;
		}
		if (c == '@' && !is_space && m->len > 0) {
			i += matter_drop_address(
			    m, (struct str){ line.p + i, line.len - i });
			i--;
			continue;
		}
		if (is_space && m->len > 0 && m->text[m->len - 1] != ' ') {
			matter_add(m, ' ');
		}
		is_space = false;
		matter_add(m, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
	}
}

static void
matter_init(struct matter *m, const struct reply_question *q)
{
	struct str rest = q->text;
	struct str line;

	m->code = q->code;
	m->phases = (uint8_t)q->phase;
	m->len = 0;
	memset(m->enh, 0, sizeof(m->enh));
	if (rest.len > TEXT_MAX) {
		rest.len = TEXT_MAX;
	}
	if (enhanced_scan(q->enh, m->enh) == 0 ||
	    (m->enh[1] == 0 && m->enh[2] == 0)) {
		enhanced_search(rest, m->enh);
	}
	while (str_split(&rest, '\n', &line)) {
		matter_add_line(m, line_without_codes(line));
	}
}

static bool
text_matches(const struct matter *m, const char *pattern)
{
	const char *at = m->text;
	size_t left = m->len;

	while (*pattern != '\0') {
		size_t n = strcspn(pattern, "*");
		const char *hit = at;

		if (n > 0) {
			hit = memmem(at, left, pattern, n);
			if (hit == NULL) {
				return false;
			}
		}
		left -= (size_t)(hit - at) + n;
		at = hit + n;
		pattern += n + (pattern[n] == '*' ? 1 : 0);
	}
	return true;
}

/* One part of an enhanced pattern: "*" or a number. */
static bool
part_matches(struct str part, unsigned value)
{
	unsigned v;

	if (str_is(part, "*")) {
		return true;
	}
	return number_scan(part, &v) == part.len && v == value;
}

static bool
enhanced_matches(const struct matter *m, const char *pattern)
{
	struct str rest = str_of(pattern);
	struct str part;

	if (m->enh[0] == 0) {
		return false;
	}
	for (int i = 0; i < 3 && str_split(&rest, '.', &part); i++) {
		if (!part_matches(part, m->enh[i])) {
			return false;
		}
	}
	return true;
}

static bool
rule_matches(const struct reply_rule *r, const struct matter *m)
{
	return (r->code == 0 || r->code == m->code) &&
	    (r->phases == 0 || (r->phases & m->phases) != 0) &&
	    (r->enh == NULL || enhanced_matches(m, r->enh)) &&
	    (r->text == NULL || text_matches(m, r->text));
}

static const struct reply_rule *
rules_find(const struct reply_rule *rules, size_t n, const struct matter *m)
{
	for (size_t i = 0; i < n; i++) {
		if (rule_matches(&rules[i], m)) {
			return &rules[i];
		}
	}
	return NULL;
}

static bool
matter_is_permanent(const struct matter *m)
{
	/* The basic code decides where there is one (RFC 5321 section 4.2.1);
	 * a report may have only the other. */
	return m->code != 0 ? m->code >= 500 : m->enh[0] == 5;
}

/*
 * Before RCPT nothing was said about a recipient: words such as "domain not
 * found" are about the sender or about us.
 */
static enum reason
reason_by_phase(enum reason r, uint8_t phases)
{
	if (!reasons[r].is_hard) {
		return r;
	}
	if ((phases & REPLY_MAIL) != 0) {
		return REASON_SENDER;
	}
	if ((phases & (REPLY_CONNECT | REPLY_STARTTLS)) != 0) {
		return REASON_ROUTING;
	}
	return r;
}

void
reply_class(const struct reply_rules *rules, const struct reply_question *q,
    struct reply_answer *out)
{
	const struct reply_rule *r = NULL;
	const struct reason_desc *d;
	struct matter m;
	bool is_permanent;

	matter_init(&m, q);
	if (rules != NULL) {
		r = rules_find(rules->rules, rules->n, &m);
	}
	if (r == NULL) {
		r = rules_find(reply_rules_builtin, n_reply_rules_builtin, &m);
	}
	out->reason = r != NULL ? (enum reason)r->reason : REASON_OTHER;
	out->reason = reason_by_phase(out->reason, m.phases);
	d = reason_desc(out->reason);
	is_permanent = matter_is_permanent(&m);
	out->is_hard = is_permanent && d->is_hard;
	out->is_retry = !is_permanent || d->is_retried;
}

static bool
enh_pattern_is_valid(const char *pattern)
{
	struct str rest = str_of(pattern);
	struct str part;
	unsigned v;
	int n = 0;

	while (str_split(&rest, '.', &part)) {
		n++;
		if (!str_is(part, "*") &&
		    (part.len == 0 || number_scan(part, &v) != part.len)) {
			return false;
		}
	}
	return n == 3;
}

static bool
text_pattern_is_valid(const char *pattern)
{
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z') {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] != '\0';
}

struct reply_rules *
reply_rules_new(void)
{
	return mem_alloc(sizeof(struct reply_rules));
}

void
reply_rules_free(struct reply_rules **r)
{
	if (*r == NULL) {
		return;
	}
	for (size_t i = 0; i < (*r)->n; i++) {
		free((char *)(uintptr_t)(*r)->rules[i].enh);
		free((char *)(uintptr_t)(*r)->rules[i].text);
	}
	free((*r)->rules);
	free(*r);
	*r = NULL;
}

int
reply_class_add_rule(struct reply_rules *r, const struct reply_rule *rule)
{
	struct reply_rule *copy;

	if ((rule->enh != NULL && !enh_pattern_is_valid(rule->enh)) ||
	    (rule->text != NULL && !text_pattern_is_valid(rule->text)) ||
	    (rule->enh == NULL && rule->text == NULL && rule->code == 0) ||
	    rule->reason >= REASON_N) {
		return -EINVAL;
	}
	r->rules = mem_resize(r->rules, (r->n + 1) * sizeof(*r->rules));
	copy = &r->rules[r->n++];
	*copy = *rule;
	if (rule->enh != NULL) {
		copy->enh = mem_strdup(rule->enh);
	}
	if (rule->text != NULL) {
		copy->text = mem_strdup(rule->text);
	}
	return 0;
}
