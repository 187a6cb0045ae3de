/*
 * Reply rules: a pattern and what follows from it. POSIX extended regular
 * expressions without back-references, so that a match takes time in
 * proportion to the reply.
 */
#include <errno.h>
#include <regex.h>
#include <string.h>

#include "clock.h"
#include "pattern.h"
#include "shaping_impl.h"

#define PATTERN_MAX 512u

static const struct {
	const char *name;
	enum reply_phase phase;
} phases[] = {
	{ "connect", REPLY_CONNECT },
	{ "starttls", REPLY_STARTTLS },
	{ "mail", REPLY_MAIL },
	{ "rcpt", REPLY_RCPT },
	{ "data", REPLY_DATA },
	{ "dot", REPLY_DOT },
};

/* The next word, without white space around; false: none is left. */
static bool
next_word(struct str *rest, struct str *word)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	if (rest->len == 0) {
		*word = STR("");
		return false;
	}
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t') {
		n++;
	}
	*word = (struct str){ rest->p, n };
	*rest = (struct str){ rest->p + n, rest->len - n };
	return n != 0;
}

/* ---- the pattern -------------------------------------------------------- */

/* Takes "/.../" off the front; "\/" stands for a slash. */
static int
take_pattern(struct str *rest, struct buf *out, struct buf *why)
{
	size_t i = 1;

	if (rest->len == 0 || rest->p[0] != '/') {
		buf_puts(why, "must begin with /PATTERN/");
		return -EINVAL;
	}
	for (; i < rest->len && rest->p[i] != '/'; i++) {
		bool is_escape = rest->p[i] == '\\' && i + 1 < rest->len;

		if (is_escape && rest->p[i + 1] != '/') {
			buf_u8(out, (uint8_t)rest->p[i]);
		}
		i += is_escape;
		buf_u8(out, (uint8_t)rest->p[i]);
	}
	if (i >= rest->len || out->len == 0 || out->len > PATTERN_MAX) {
		buf_printf(why, "must begin with /PATTERN/ of 1 to %u bytes",
		    PATTERN_MAX);
		return -EINVAL;
	}
	*rest = (struct str){ rest->p + i + 1, rest->len - i - 1 };
	return 0;
}

static int
compile(struct shaping_rule *r, struct buf *why)
{
	regex_t *re = mem_alloc(sizeof(*re));
	struct buf fault = { 0 };

	if (pattern_compile(re, r->pattern, REG_NOSUB, &fault) < 0) {
		buf_printf(why, "/%s/: %.*s", r->pattern, (int)fault.len,
		    (char *)fault.p);
		buf_fini(&fault);
		free(re);
		return -EINVAL;
	}
	r->regex = re;
	return 0;
}

/* ---- actions ------------------------------------------------------------ */

/* "for TIME" at the end of an action. */
static int
take_for(struct str *rest, uint64_t *us, struct buf *why)
{
	struct str word;
	uint32_t s;

	if (!next_word(rest, &word) || !str_is(word, "for") ||
	    !next_word(rest, &word) || shaping_time(word, &s) < 0) {
		buf_puts(why, "must end with: for TIME, such as for 30m");
		return -EINVAL;
	}
	*us = s * US_PER_S;
	return 0;
}

static int
act_suspend(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	struct str at = *rest;
	struct str word;

	if (next_word(&at, &word) && str_is(word, "all")) {
		r->is_for_all = true;
		*rest = at;
	}
	return take_for(rest, &r->suspend_us, why);
}

static int
act_slow(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	struct str word;

	if (!next_word(rest, &word)) {
		buf_puts(why, "slow needs the name of a [backoff] section");
		return -EINVAL;
	}
	free(r->backoff_name);
	r->backoff_name = str_dup(word);
	if (str_trim(*rest).len == 0) {
		return 0;
	}
	return take_for(rest, &r->backoff_us, why);
}

static int
act_limit(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	struct str limits = { rest->p, 0 };
	struct str at = *rest;
	struct str word;

	while (next_word(&at, &word) && !str_is(word, "for")) {
		limits.len = (size_t)(word.p + word.len - limits.p);
		*rest = at;
	}
	if (shaping_limits_parse(&r->limits, limits, why) < 0) {
		return -EINVAL;
	}
	return take_for(rest, &r->limits_us, why);
}

static int
act_requeue(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	struct str word;

	if (!next_word(rest, &word) || shaping_time(word, &r->requeue_s) < 0) {
		buf_puts(why, "requeue-in needs a time, such as 20m");
		return -EINVAL;
	}
	return 0;
}

static int
act_class(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	struct str word;

	if (!next_word(rest, &word) || reason_parse(word, &r->class) < 0) {
		buf_puts(why,
		    "class needs a reason class, such as rate or "
		    "spam_ip; packetboat-deliver(8) lists them");
		return -EINVAL;
	}
	r->has_class = true;
	return 0;
}

static int
act_bounce(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	(void)rest;
	(void)why;
	r->fate = SHAPING_FATE_BOUNCE;
	return 0;
}

static int
act_defer(struct shaping_rule *r, struct str *rest, struct buf *why)
{
	(void)rest;
	(void)why;
	r->fate = SHAPING_FATE_DEFER;
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct shaping_rule *r, struct str *rest, struct buf *why);
} actions[] = {
	{ "suspend", act_suspend },
	{ "slow", act_slow },
	{ "limit", act_limit },
	{ "requeue-in", act_requeue },
	{ "bounce", act_bounce },
	{ "defer", act_defer },
	{ "class", act_class },
};

static int
take_action(struct shaping_rule *r, struct str rest, struct buf *why)
{
	char safe[64];
	struct str word;

	if (!next_word(&rest, &word)) {
		buf_puts(why,
		    "an action is missing: suspend, slow, limit, "
		    "requeue-in, bounce, defer or class");
		return -EINVAL;
	}
	for (size_t i = 0; i < array_len(actions); i++) {
		if (!str_is(word, actions[i].name)) {
			continue;
		}
		if (actions[i].take(r, &rest, why) < 0) {
			return -EINVAL;
		}
		rest = str_trim(rest);
		if (rest.len != 0) {
			buf_printf(why, "%s: not expected behind %s",
			    str_safe(safe, sizeof(safe), rest),
			    actions[i].name);
			return -EINVAL;
		}
		return 0;
	}
	buf_printf(why,
	    "%s: is no action; there are suspend, slow, limit, requeue-in, "
	    "bounce, defer and class",
	    str_safe(safe, sizeof(safe), word));
	return -EINVAL;
}

static void
take_phases(struct shaping_rule *r, struct str *rest)
{
	struct str at = *rest;
	struct str word;

	while (next_word(&at, &word)) {
		size_t i = 0;

		while (i < array_len(phases) && !str_is(word, phases[i].name)) {
			i++;
		}
		if (i == array_len(phases)) {
			return;
		}
		r->phases |= phases[i].phase;
		*rest = at;
	}
}

/* Contradictions. */
static int
check(const struct shaping_rule *r, struct buf *why)
{
	if (r->requeue_s != 0 && r->fate == SHAPING_FATE_BOUNCE) {
		buf_puts(why, "bounce and requeue-in do not go together");
		return -EINVAL;
	}
	return 0;
}

int
shaping_rule_parse(struct str value, struct shaping_rule **out, struct buf *why)
{
	struct shaping_rule *r = mem_alloc(sizeof(*r));
	struct buf pattern = { 0 };
	struct str rest = str_trim(value);
	struct str action;
	int e = take_pattern(&rest, &pattern, why);

	r->pattern = str_dup(buf_str(&pattern));
	buf_fini(&pattern);
	if (e == 0) {
		e = compile(r, why);
	}
	take_phases(r, &rest);
	while (e == 0) {
		bool is_more = str_split(&rest, ',', &action);

		e = take_action(r, is_more ? action : (struct str){ 0 }, why);
		if (!is_more || str_trim(rest).len == 0) {
			break;
		}
	}
	if (e == 0) {
		e = check(r, why);
	}
	if (e < 0) {
		shaping_rule_free(r);
		return -EINVAL;
	}
	*out = r;
	return 0;
}

void
shaping_rule_free(struct shaping_rule *r)
{
	if (r->regex != NULL) {
		regfree(r->regex);
	}
	free(r->regex);
	free(r->pattern);
	free(r->backoff_name);
	free(r);
}

/* ---- matching ----------------------------------------------------------- */

const struct shaping_rule *
shaping_match(
    const struct shaping_section *s, enum reply_phase phase, struct str reply)
{
	char text[SHAPING_TEXT_MAX + 1];
	size_t n = reply.len < SHAPING_TEXT_MAX ? reply.len : SHAPING_TEXT_MAX;

	/* One line, and no byte that ends a string. */
	for (size_t i = 0; i < n; i++) {
		char c = reply.p[i];

		text[i] = c == '\0' || c == '\n' || c == '\r' ? ' ' : c;
	}
	text[n] = '\0';
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct shaping_rule *r = s->rules[i];

		if ((r->phases == 0 || (r->phases & (unsigned)phase) != 0) &&
		    regexec(r->regex, text, 0, NULL, 0) == 0) {
			return r;
		}
	}
	return NULL;
}
