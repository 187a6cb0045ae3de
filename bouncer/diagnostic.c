#include "diagnostic.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static const struct reply_rules *own_rules;

void
report_use_rules(const struct reply_rules *rules)
{
	own_rules = rules;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- enhanced codes ----------------------------------------------------- */

/* Length of an enhanced code (RFC 3463 section 2) at the beginning, or 0. */
static size_t
enhanced_len(struct str s)
{
	size_t at = 0;

	for (int part = 0; part < 3; part++) {
		size_t digits = 0;

		if (part > 0) {
			if (at >= s.len || s.p[at] != '.') {
				return 0;
			}
			at++;
		}
		while (at < s.len && is_digit(s.p[at])) {
			at++;
			digits++;
		}
		if (digits == 0 || digits > (part == 0 ? 1u : 3u)) {
			return 0;
		}
	}
	if (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5') {
		return 0;
	}
	/* a fourth number makes it an address or a version */
	if (at + 1 < s.len && s.p[at] == '.' && is_digit(s.p[at + 1])) {
		return 0;
	}
	return at < s.len && is_word(s.p[at]) ? 0 : at;
}

static void
copy_code(char *dst, struct str s, size_t len)
{
	str_copy(dst, REPORT_STATUS_SIZE, (struct str){ s.p, len });
}

void
diagnostic_status(struct str value, char *dst)
{
	dst[0] = '\0';
	for (size_t i = 0; i < value.len; i++) {
		struct str rest = { value.p + i, value.len - i };
		size_t n = enhanced_len(rest);

		if (n > 0 && (i == 0 || !is_word(value.p[i - 1]))) {
			copy_code(dst, rest, n);
			return;
		}
	}
}

/* The first code of a class ('4', '5'; '\0': either) that tells something. */
static void
find_enhanced(struct str text, char class, char *dst)
{
	char general[REPORT_STATUS_SIZE] = "";

	dst[0] = '\0';
	for (size_t i = 0; i < text.len; i++) {
		struct str rest = { text.p + i, text.len - i };
		size_t n;

		if (i > 0 && (is_word(text.p[i - 1]) || text.p[i - 1] == '.')) {
			continue;
		}
		n = enhanced_len(rest);
		if (n == 0 || rest.p[0] == '2' ||
		    (class != '\0' && rest.p[0] != class)) {
			continue;
		}
		if (n == 5 && memcmp(rest.p + 1, ".0.0", 4) == 0) {
			copy_code(general, rest, n);
			continue;
		}
		copy_code(dst, rest, n);
		return;
	}
	memcpy(dst, general, sizeof(general));
}

/* ---- basic codes -------------------------------------------------------- */

/* Can a reply begin at i? Numbers of lines, hours and bytes are none. */
static bool
is_reply_place(struct str s, size_t i)
{
	static const char *const words[] = { "said", "returned", "was", "error",
		"code", "reply", "response", "smtp", "with", "status" };
	size_t end = i;

	while (end > 0 && (s.p[end - 1] == ' ' || s.p[end - 1] == '\t')) {
		end--;
	}
	if (end == 0 || strchr("\n:;'\"(<>=#|],", s.p[end - 1]) != NULL) {
		return true;
	}
	for (size_t k = 0; k < array_len(words); k++) {
		size_t n = strlen(words[k]);

		if (end >= n &&
		    text_begins((struct str){ s.p + end - n, n }, words[k])) {
			return true;
		}
	}
	return false;
}

static unsigned
code_at(struct str s, size_t i)
{
	struct str next;

	if (i + 3 > s.len || (s.p[i] != '4' && s.p[i] != '5') ||
	    !is_digit(s.p[i + 1]) || s.p[i + 1] > '7' ||
	    !is_digit(s.p[i + 2]) ||
	    (i > 0 && (is_word(s.p[i - 1]) || strchr(".-/", s.p[i - 1])))) {
		return 0;
	}
	next = (struct str){ s.p + i + 3, s.len - i - 3 };
	if (next.len > 0 && strchr(" -:\n\t<,;#)'\"", next.p[0]) == NULL) {
		return 0;
	}
	if (next.len > 1 && next.p[0] == '-' && is_digit(next.p[1]) &&
	    enhanced_len((struct str){ next.p + 1, next.len - 1 }) == 0) {
		return 0; /* a date, a telephone number */
	}
	if (!is_reply_place(s, i) &&
	    (next.len < 2 ||
		enhanced_len((struct str){ next.p + 1, next.len - 1 }) == 0)) {
		return 0;
	}
	return (unsigned)((s.p[i] - '0') * 100 + (s.p[i + 1] - '0') * 10 +
	    (s.p[i + 2] - '0'));
}

/* The enhanced code that follows a basic one, after a mark or two. */
static void
enhanced_behind(struct str s, size_t i, char *dst)
{
	dst[0] = '\0';
	for (size_t end = i + 4; i < s.len && i < end; i++) {
		struct str rest = { s.p + i, s.len - i };
		size_t n = enhanced_len(rest);

		if (n > 0) {
			copy_code(dst, rest, n);
			return;
		}
		if (strchr(" -:#'(;", s.p[i]) == NULL) {
			return;
		}
	}
}

void
diagnostic_read(struct str text, struct diagnostic *out)
{
	out->code = 0;
	out->enh[0] = '\0';
	for (size_t i = 0; i < text.len && out->code == 0; i++) {
		out->code = code_at(text, i);
		if (out->code != 0) {
			enhanced_behind(text, i + 3, out->enh);
		}
	}
	if (out->enh[0] != '\0') {
		return;
	}
	find_enhanced(text,
	    out->code != 0 ? (char)('0' + out->code / 100) : '\0', out->enh);
	if (out->enh[0] == '\0') {
		find_enhanced(text, '\0', out->enh);
	}
}

/* ---- verdict ------------------------------------------------------------ */

static bool
is_general(const char *status)
{
	return status[0] == '\0' || strcmp(status + 1, ".0.0") == 0;
}

static void
choose_status(struct report_rcpt *r, const struct diagnostic *d)
{
	if (d->enh[0] == '\0' || (is_general(d->enh) && r->status[0] != '\0')) {
		return;
	}
	if (r->status[0] == '\0' || r->status[0] == d->enh[0]) {
		memcpy(r->status, d->enh, sizeof(r->status));
	}
}

static const char *const temporary[] = { "temporar", "try again later",
	"will be retried", "will retry", "will continue to try",
	"retry timeout exceeded", "failing for a long time", NULL };

static bool
judge_permanence(
    const struct report_rcpt *r, const struct diagnostic *d, struct str folded)
{
	if (r->action != REPORT_FAILED) {
		return false;
	}
	if (r->status[0] != '\0') {
		return r->status[0] == '5';
	}
	if (d->code != 0) {
		return d->code >= 500;
	}
	return !text_has_any(folded, temporary);
}

/* Where in the dialogue the reply came, as many systems add to it. */
static unsigned
find_phase(struct str folded)
{
	static const char *const rcpt[] = { "rcpt to", "rcpt_to", "after rcpt",
		NULL };
	static const char *const connect[] = { "after initial connection",
		"refused to talk to me", "in reply to ehlo", "in reply to helo",
		"after ehlo", "after helo", "my name was rejected", NULL };
	static const char *const mail[] = { "to mail from command",
		"after mail from", "our mail from", ">>> mail from",
		"mail_from]", "sender was rejected", NULL };
	static const char *const data[] = { "end of data", "after data",
		"final data", "data command", NULL };

	if (text_has_any(folded, connect)) {
		return REPLY_CONNECT;
	}
	if (text_has_any(folded, rcpt)) {
		return REPLY_RCPT | REPLY_REPORT;
	}
	if (text_has_any(folded, mail)) {
		return REPLY_MAIL;
	}
	return text_has_any(folded, data) ? REPLY_DOT | REPLY_REPORT
					  : REPLY_REPORT;
}

static struct reply_answer
classify(unsigned code, const char *status, struct str text, struct str host,
    unsigned phase)
{
	struct reply_question q = { .code = code,
		.enh = str_of(is_general(status) ? "" : status),
		.text = text,
		.host = host,
		.phase = (enum reply_phase)phase };
	struct reply_answer a;

	reply_class(own_rules, &q, &a);
	return a;
}

/*
 * The status that RFC 3463 has for a cause, for reports that name none: subject
 * and detail. Causes that it has no code for stay at .0.0.
 */
static const char *
detail_of(enum reason r)
{
	static const char *const details[REASON_N] = {
		[REASON_BAD_MAILBOX] = ".1.1",
		[REASON_BAD_DOMAIN] = ".1.2",
		[REASON_SENDER] = ".1.8",
		[REASON_INACTIVE_MAILBOX] = ".2.1",
		[REASON_MAILBOX_FULL] = ".2.2",
		[REASON_TOO_LARGE] = ".3.4",
		[REASON_CONNECTION] = ".4.1",
		[REASON_TIMEOUT] = ".4.2",
		[REASON_DNS] = ".4.3",
		[REASON_ROUTING] = ".4.4",
		[REASON_EXPIRED] = ".4.7",
		[REASON_PROTOCOL] = ".5.0",
		[REASON_TOO_MANY_RCPT] = ".5.3",
		[REASON_CONTENT] = ".6.0",
		[REASON_ATTACHMENT] = ".7.1",
		[REASON_VIRUS] = ".7.1",
		[REASON_SPAM_CONTENT] = ".7.1",
		[REASON_SPAM_IP] = ".7.1",
		[REASON_POLICY] = ".7.1",
		[REASON_AUTH] = ".7.1",
		[REASON_RELAYING] = ".7.1",
		[REASON_GREYLIST] = ".7.1",
	};

	return details[r] != NULL ? details[r] : ".0.0";
}

static void
judge(struct report_rcpt *r, const struct diagnostic *d, struct str notice,
    struct str host)
{
	struct buf folded = { 0 };
	struct str text = str_of(r->text);
	struct reply_answer a;

	text_fold(text, &folded);
	r->is_permanent = judge_permanence(r, d, buf_str(&folded));
	a = classify(
	    d->code, r->status, text, host, find_phase(buf_str(&folded)));
	if (a.reason == REASON_OTHER && notice.len > 0) {
		a = classify(d->code, r->status, notice, host, REPLY_REPORT);
	}
	r->reason = a.reason;
	if (a.rule != NULL && a.rule->permanence != REPLY_AS_SAID &&
	    r->action == REPORT_FAILED) {
		r->is_permanent = a.is_permanent;
	}
	buf_fini(&folded);
}

void
diagnostic_judge(struct report_rcpt *r, struct str notice, struct str host)
{
	struct diagnostic d;

	diagnostic_read(str_of(r->text), &d);
	choose_status(r, &d);
	judge(r, &d, notice, host);
	/* Who refuses the content does not try again: that is in the footer. */
	if (r->action == REPORT_DELAYED && r->reason == REASON_VIRUS) {
		r->reason = REASON_OTHER;
	}
	if (r->status[0] == '\0' && r->action <= REPORT_DELAYED) {
		(void)snprintf(r->status, sizeof(r->status), "%c%s",
		    r->is_permanent ? '5' : '4', detail_of(r->reason));
	} else if (r->status[0] == '\0') {
		(void)snprintf(r->status, sizeof(r->status), "2.0.0");
	}
	r->is_hard = r->is_permanent && reason_desc(r->reason)->is_hard;
}
