#include "key_draft.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "commands.h"
#include "domain.h"
#include "expiry.h"
#include "networks.h"
#include "smtp_path.h"

#define LABEL_MAX 64
#define SHOWN_MAX 200 /* of a limit in an alert */

void
key_draft_fini(struct key_draft *d)
{
	buf_fini(&d->networks);
	buf_fini(&d->methods);
	buf_fini(&d->from);
}

/* The words of a list, parted by one blank. */
static void
normalize_list(struct str list, struct buf *out)
{
	for (size_t i = 0; i < list.len; i++) {
		char c = list.p[i];
		bool is_gap = c == ',' || c == ' ' || c == '\t';

		if (!is_gap) {
			buf_u8(out, (uint8_t)c);
		} else if (out->len > 0 && out->p[out->len - 1] != ' ') {
			buf_u8(out, ' ');
		}
	}
	if (out->len > 0 && out->p[out->len - 1] == ' ') {
		out->len--;
	}
}

static bool
is_method_list(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
		    strchr("/_-* ", c) == NULL) {
			return false;
		}
	}
	return true;
}

static bool
is_given(const struct tool *t, const char *name)
{
	return json_object_get(tool_args(t), name) != NULL;
}

static bool
take_lists(struct tool *t, struct key_draft *d)
{
	char safe[80];
	struct str bad;

	if (is_given(t, "networks")) {
		normalize_list(str_of(tool_arg(t, "networks")), &d->networks);
		d->r.networks = buf_str(&d->networks);
	}
	if (is_given(t, "methods")) {
		normalize_list(str_of(tool_arg(t, "methods")), &d->methods);
		d->r.methods = buf_str(&d->methods);
	}
	if (networks_check(d->r.networks, &bad) < 0) {
		tool_end(t, EX_DATAERR,
		    "\"%s\" is no network: use address or address/bits",
		    str_safe(safe, sizeof(safe), bad));
		return false;
	}
	if (!is_method_list(d->r.methods)) {
		tool_end(t, EX_DATAERR,
		    "\"%s\" is no list of methods such as smtp/send",
		    str_safe(safe, sizeof(safe), d->r.methods));
		return false;
	}
	return true;
}

static bool
take_from(struct tool *t, struct key_draft *d)
{
	struct str from = str_of(tool_arg(t, "from"));
	char name[DOMAIN_NAME_MAX + 1];
	struct smtp_path path;
	char safe[80];
	ssize_t n = -EINVAL;

	if (!is_given(t, "from")) {
		return true;
	}
	if (from.len == 0) {
		n = 0;
	} else if (memchr(from.p, '@', from.len) == NULL) {
		n = domain_to_ascii(
		    from.p, from.len, DOMAIN_UNDERSCORE, name, sizeof(name));
		buf_add(&d->from, name, n > 0 ? (size_t)n : 0);
	} else if (smtp_mailbox_parse(
		       from.p, from.len, SMTP_PATH_UTF8, &path) == 0) {
		n = 0;
		buf_add(&d->from, from.p, from.len);
	}
	if (n < 0) {
		tool_end(t, EX_DATAERR, "\"%s\" is no domain and no address",
		    str_safe(safe, sizeof(safe), from));
		return false;
	}
	d->r.from = buf_str(&d->from);
	return true;
}

static bool
take_label(struct tool *t, struct key_draft *d)
{
	if (is_given(t, "label")) {
		d->r.label = str_of(tool_arg(t, "label"));
	}
	if (d->r.label.len > LABEL_MAX) {
		tool_end(t, EX_DATAERR, "the label is longer than %d bytes",
		    LABEL_MAX);
		return false;
	}
	return true;
}

static bool
take_expires(struct tool *t, struct key_draft *d)
{
	struct str expires = str_of(tool_arg(t, "expires"));
	char safe[80];
	int r;

	if (!is_given(t, "expires")) {
		return true;
	}
	d->r.expires_us = 0;
	r = expires.len == 0
	    ? 0
	    : expiry_parse(expires, clock_wall_us(), &d->r.expires_us);
	if (r < 0) {
		tool_end(t, EX_DATAERR, "\"%s\" %s",
		    str_safe(safe, sizeof(safe), expires),
		    r == -ERANGE
			? "is not in the future"
			: "is no time: use 30d, or a date as 2030-12-31");
	}
	return r == 0;
}

bool
key_draft_take(struct tool *t, struct key_draft *d)
{
	return take_lists(t, d) && take_from(t, d) && take_label(t, d) &&
	    take_expires(t, d);
}

/* ---- what is another one now ---------------------------------------------
 */

static void
put_limit(struct buf *out, const char *name, struct str before, struct str now)
{
	char safe[SHOWN_MAX];

	if (str_eq(before, now)) {
		return;
	}
	buf_printf(out, "%s%s is %s", out->len > 0 ? ", " : "", name,
	    now.len > 0 ? str_safe(safe, sizeof(safe), now) : "unlimited");
	buf_printf(out, " and was %s",
	    before.len > 0 ? str_safe(safe, sizeof(safe), before)
			   : "unlimited");
}

static struct str
time_text(uint64_t us, char *dst, size_t size)
{
	time_t t = (time_t)(us / US_PER_S);
	struct tm tm = { 0 };

	if (us == 0 || gmtime_r(&t, &tm) == NULL) {
		return (struct str){ 0 };
	}
	return (
	    struct str){ dst, strftime(dst, size, "%Y-%m-%dT%H:%M:%SZ", &tm) };
}

void
key_draft_print(const struct schema_key *before, const struct schema_key *now,
    struct buf *out)
{
	char text[2][32];

	put_limit(out, "networks", before->networks, now->networks);
	put_limit(out, "methods", before->methods, now->methods);
	put_limit(out, "from", before->from, now->from);
	put_limit(out, "expires",
	    time_text(before->expires_us, text[0], sizeof(text[0])),
	    time_text(now->expires_us, text[1], sizeof(text[1])));
	put_limit(out, "label", before->label, now->label);
}
