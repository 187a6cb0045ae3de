#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alerts.h"
#include "names.h"
#include "smtp_path.h"

#define KEEP_CONTENT_MAX_S (3650u * 86400)

static struct str
either(struct str own, struct str other)
{
	return own.len > 0 ? own : other;
}

/* Stored is one more, so that a subaccount can say 0. */
static uint32_t
keep_s(uint32_t stored)
{
	return stored != 0 ? stored - 1 : 0;
}

void
settings_of(const struct schema_account *account,
    const struct schema_account *sub, struct settings *out)
{
	static const struct schema_account none;
	const struct schema_account *s = sub != NULL ? sub : &none;
	struct str class = either(s->class, account->class);

	*out = (struct settings){
		.is_paused = account->is_paused || s->is_paused,
		.unsigned_ok = str_is(
		    either(s->unsigned_mail, account->unsigned_mail), "allow"),
		.plain_sender =
		    str_is(either(s->sender, account->sender), "plain"),
		.pool = either(s->pool, account->pool),
		.pools = either(s->pools, account->pools),
		.forward_bounces =
		    either(s->forward_bounces, account->forward_bounces),
		.weight = s->weight != 0 ? s->weight : account->weight,
		.keep_content_s =
		    keep_s(s->keep_content != 0 ? s->keep_content
						: account->keep_content),
	};
	if (str_is(out->pool, POOL_DEFAULT)) {
		out->pool = STR(""); /* a subaccount's word against another */
	}
	if (str_is(out->forward_bounces, FORWARD_NONE)) {
		out->forward_bounces = STR("");
	}
	if (mail_class_parse(class, &out->class) < 0) {
		out->class = CLASS_STANDARD;
	}
	if (out->weight == 0) {
		out->weight = WEIGHT_DEFAULT;
	}
}

static int
set_number(struct str value, uint32_t max, uint32_t *out, struct buf *error)
{
	uint64_t n;

	if (str_u64(value, max, &n) < 0) {
		buf_printf(error, "a number from 0 to %u is needed", max);
		return -EINVAL;
	}
	*out = (uint32_t)n;
	return 0;
}

/* words: the values allowed besides the empty one, parted by blanks. */
static int
set_choice(
    struct str value, const char *words, struct str *out, struct buf *error)
{
	struct str rest = str_of(words);
	struct str word;

	while (value.len > 0 && str_split(&rest, ' ', &word)) {
		if (str_eq(word, value)) {
			*out = value;
			return 0;
		}
	}
	if (value.len == 0) {
		*out = value;
		return 0;
	}
	buf_printf(error, "one of \"%s\" is needed", words);
	return -EINVAL;
}

static int
set_text(struct str value, size_t max, struct str *out, struct buf *error)
{
	if (value.len > max) {
		buf_printf(error, "at most %zu bytes are allowed", max);
		return -EINVAL;
	}
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 127) {
			buf_puts(error, "control characters are not allowed");
			return -EINVAL;
		}
	}
	*out = value;
	return 0;
}

bool
settings_allow_pool(const struct settings *s, struct str pool)
{
	struct str rest = s->pools;
	struct str word;

	if (pool.len == 0 || str_eq(pool, s->pool)) {
		return true;
	}
	while (str_split(&rest, ',', &word)) {
		if (str_eq(str_trim(word), pool)) {
			return true;
		}
	}
	return false;
}

static int
check_pool(struct str value, struct buf *error)
{
	if (value.len == 0 || name_is_valid(value)) {
		return 0;
	}
	buf_puts(
	    error, "a pool's name has a-z 0-9 . _ -, a letter or digit first");
	return -EINVAL;
}

static int
set_pool(struct str value, struct str *out, struct buf *error)
{
	if (check_pool(value, error) < 0) {
		return -EINVAL;
	}
	*out = value;
	return 0;
}

static int
set_pools(struct str value, struct str *out, struct buf *error)
{
	struct str rest = value;
	struct str word;

	while (str_split(&rest, ',', &word)) {
		if (check_pool(str_trim(word), error) < 0) {
			return -EINVAL;
		}
	}
	return set_text(value, 1024, out, error);
}

/* "auto": as the reputation says. */
static int
set_quota(struct str value, struct schema_account *a, struct buf *error)
{
	bool is_auto = str_is(value, "auto");

	if (is_auto) {
		a->quota = 0;
	} else if (set_number(value, UINT32_MAX, &a->quota, error) < 0) {
		buf_puts(error, ", or auto");
		return -EINVAL;
	}
	a->is_quota_set = !is_auto;
	return 0;
}

static int
set_address(struct str value, struct str *out, struct buf *error)
{
	struct smtp_path path;
	char text[SMTP_PATH_MAX + 1];
	int n = snprintf(text, sizeof(text), "<%.*s>", STR_ARG(value));

	if (value.len > 0 && !str_is(value, FORWARD_NONE) &&
	    (n < 0 || (size_t)n >= sizeof(text) ||
		smtp_path_parse(text, (size_t)n, SMTP_PATH_UTF8, &path) < 0 ||
		path.local_len == 0 || path.domain_len == 0)) {
		buf_puts(error, "a mail address is needed, or " FORWARD_NONE);
		return -EINVAL;
	}
	*out = value;
	return 0;
}

static int
set_contact(struct str value, struct str *out, struct buf *error)
{
	struct smtp_path path;
	struct buf text = { 0 };
	int r = 0;

	if (value.len > 0) {
		buf_printf(&text, "<%.*s>", STR_ARG(value));
		r = smtp_path_parse((const char *)text.p, text.len, 0, &path);
		if (r < 0 || path.domain_len == 0 || value.len > 320) {
			buf_puts(error, "a mail address is needed, or nothing");
			r = -EINVAL;
		}
		buf_fini(&text);
	}
	*out = value;
	return r;
}

/* alert_RULE */
static int
set_alert(struct schema_account *a, struct str rule, struct str value,
    struct buf *error)
{
	enum alert alert = alert_parse(rule);

	if (alert != ALERTS) {
		return alert_set_limit(a, alert, value, error);
	}
	buf_puts(error, "the alerts are");
	for (unsigned i = 0; i < ALERTS; i++) {
		buf_printf(error, "%s%s", i == 0 ? " " : ", ",
		    alert_name((enum alert)i));
	}
	return -EINVAL;
}

/* A time such as 36h or 7d, 0, or nothing: as the account says. */
static int
set_keep(struct str value, uint32_t *out, struct buf *error)
{
	static const char units[] = "smhd";
	static const uint32_t seconds[] = { 1, 60, 3600, 86400 };
	uint32_t unit = 1;
	const char *at;
	uint64_t n;

	if (value.len == 0) {
		*out = 0;
		return 0;
	}
	at = strchr(units, value.p[value.len - 1]);
	if (at != NULL && value.p[value.len - 1] != '\0') {
		unit = seconds[at - units];
		value.len--;
	}
	if (str_u64(value, KEEP_CONTENT_MAX_S / unit, &n) < 0) {
		buf_puts(
		    error, "a time up to 3650d is needed, such as 36h or 7d");
		return -EINVAL;
	}
	*out = (uint32_t)n * unit + 1;
	return 0;
}

int
settings_set(struct schema_account *a, struct str name, struct str value,
    struct buf *error)
{
	if (str_is(name, "notes")) {
		return set_text(value, 1024, &a->notes, error);
	}
	if (str_is(name, "contact")) {
		return set_contact(value, &a->contact, error);
	}
	if (name.len > 6 && memcmp(name.p, "alert_", 6) == 0) {
		return set_alert(
		    a, (struct str){ name.p + 6, name.len - 6 }, value, error);
	}
	if (str_is(name, "pool")) {
		return set_pool(value, &a->pool, error);
	}
	if (str_is(name, "pools")) {
		return set_pools(value, &a->pools, error);
	}
	if (str_is(name, "class")) {
		return set_choice(
		    value, "priority standard digest", &a->class, error);
	}
	if (str_is(name, "forward_bounces")) {
		return set_address(value, &a->forward_bounces, error);
	}
	if (str_is(name, "unsigned")) {
		return set_choice(
		    value, "allow refuse", &a->unsigned_mail, error);
	}
	if (str_is(name, "sender")) {
		return set_choice(
		    value, "return-path plain", &a->sender, error);
	}
	if (str_is(name, "weight")) {
		return set_number(value, WEIGHT_MAX, &a->weight, error);
	}
	if (str_is(name, "quota")) {
		return set_quota(value, a, error);
	}
	if (str_is(name, "keep_content")) {
		return set_keep(value, &a->keep_content, error);
	}
	if (str_is(name, "connections")) {
		return set_number(
		    value, UINT32_MAX, &a->max_connections, error);
	}
	if (str_is(name, "queue")) {
		return set_number(value, UINT32_MAX, &a->queue_limit, error);
	}
	buf_puts(error,
	    "the settings are alert_..., class, connections, contact, "
	    "forward_bounces, keep_content, notes, "
	    "pool, pools, queue, quota, sender, unsigned and weight");
	return -EINVAL;
}
