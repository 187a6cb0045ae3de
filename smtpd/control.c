#include "control.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "str.h"

#define VALUE_MAX 4096
#define TAG_MAX 50
#define TAGS_MAX 1024	  /* bytes, as accepted.tags (event.def) */
#define METADATA_MAX 4096 /* bytes, as accepted.metadata */
#define SEND_AT_MAX_US (366 * 86400 * US_PER_S)

static const char *const prefixes[] = { "X-Packetboat-", "X-MC-",
	"X-CloudMTA-" };

/* The name behind one of our prefixes; empty: it is another field. */
static struct str
control_name(const struct header_field *f)
{
	if (f->name_len == 0 || (f->name[0] | 0x20) != 'x') {
		return (struct str){ 0 };
	}
	for (size_t i = 0; i < array_len(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (f->name_len > n &&
		    strncasecmp(f->name, prefixes[i], n) == 0) {
			return (struct str){ f->name + n, f->name_len - n };
		}
	}
	return (struct str){ 0 };
}

bool
control_is_removed(const struct header_field *f)
{
	/* Return-Path is written at final delivery only (RFC 5321 4.4). */
	return control_name(f).len != 0 || header_is(f, "Bcc") ||
	    header_is(f, "Resent-Bcc") || header_is(f, "Return-Path");
}

static const char *
take_tags(struct str value, struct tx_wishes *w)
{
	struct str tag;

	while (str_split(&value, ',', &tag)) {
		char text[TAG_MAX + 1];

		tag = str_trim(tag);
		if (tag.len == 0 || tag.len > TAG_MAX ||
		    w->tags.len + 1 + tag.len > TAGS_MAX) {
			continue;
		}
		if (w->tags.len != 0) {
			buf_puts(&w->tags, ",");
		}
		buf_puts(&w->tags, str_safe(text, sizeof(text), tag));
	}
	return NULL;
}

static const char *
ignored(const char *field, const char *why)
{
	log_warn("%s ignored: %s", field, why);
	return NULL;
}

/* What an earlier field said, and now more of it. */
static json_t *
merge_metadata(const struct tx_wishes *w, json_t *add)
{
	json_t *all;

	if (w->metadata.len == 0) {
		return json_incref(add);
	}
	all = json_loadb((const char *)w->metadata.p, w->metadata.len, 0, NULL);
	if (all != NULL) {
		(void)json_object_update(all, add);
	}
	return all;
}

static const char *
take_metadata(struct str value, struct tx_wishes *w)
{
	json_t *add =
	    json_loadb(value.p, value.len, JSON_REJECT_DUPLICATES, NULL);
	json_t *all = NULL;
	char *text = NULL;
	const char *why = NULL;

	if (!json_is_object(add)) {
		why = "not a JSON object";
	} else if (json_object_get(add, "_rcpt") != NULL) {
		why = "_rcpt is not served";
	} else {
		all = merge_metadata(w, add);
		text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
		if (text == NULL || strlen(text) > METADATA_MAX) {
			why = "too long";
		} else {
			buf_clear(&w->metadata, VALUE_MAX);
			buf_puts(&w->metadata, text);
		}
	}
	free(text);
	json_decref(all);
	json_decref(add);
	return why != NULL ? ignored("Metadata", why) : NULL;
}

/* The subaccount must be the one that was meant. */
static const char *
take_subaccount(struct str value, struct tx_wishes *w)
{
	if (value.len >= sizeof(w->subaccount)) {
		return "550 5.7.1 The header names no such subaccount";
	}
	str_copy(w->subaccount, sizeof(w->subaccount), value);
	return NULL;
}

static const char *
take_class(struct str value, struct tx_wishes *w)
{
	enum mail_class c;

	if (mail_class_parse(value, &c) == 0) {
		str_copy(
		    w->class, sizeof(w->class), str_of(mail_class_name(c)));
	}
	return NULL;
}

static const char *
take_important(struct str value, struct tx_wishes *w)
{
	static const char *const yes[] = { "true", "on", "yes", "y", "1" };

	for (size_t i = 0; i < array_len(yes); i++) {
		if (str_eq_case(value, str_of(yes[i]))) {
			str_copy(w->class, sizeof(w->class),
			    str_of(mail_class_name(CLASS_PRIORITY)));
		}
	}
	return NULL;
}

static const char *
take_pool(struct str value, struct tx_wishes *w)
{
	if (value.len < sizeof(w->pool)) {
		str_copy(w->pool, sizeof(w->pool), value);
	}
	return NULL;
}

/* "2026-01-31 12:00:00", UTC. Sending at once is not what was meant. */
static const char *
take_send_at(struct str value, struct tx_wishes *w)
{
	char text[32];
	struct tm tm = { 0 };
	const char *end;
	uint64_t at_us;
	time_t t;

	str_copy(text, sizeof(text), value);
	end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (end == NULL || *end != '\0') {
		return "550 5.6.0 SendAt is not YYYY-MM-DD HH:MM:SS";
	}
	t = timegm(&tm);
	at_us = t > 0 ? (uint64_t)t * US_PER_S : 0;
	if (at_us > clock_wall_us() + SEND_AT_MAX_US) {
		return "550 5.6.0 SendAt is more than a year away";
	}
	w->not_before_us = at_us > clock_wall_us() ? at_us : 0;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*fn)(struct str value, struct tx_wishes *w);
} controls[] = {
	{ "Tags", take_tags },
	{ "Metadata", take_metadata },
	{ "Subaccount", take_subaccount },
	{ "Class", take_class },
	{ "Important", take_important },
	{ "IpPool", take_pool },
	{ "Pool", take_pool },
	{ "SendAt", take_send_at },
};

const char *
control_apply(const struct header_field *f, struct tx_wishes *w)
{
	struct str name = control_name(f);
	char value[VALUE_MAX];
	size_t len;

	for (size_t i = 0; i < array_len(controls); i++) {
		if (!str_eq_case(name, str_of(controls[i].name))) {
			continue;
		}
		if (f->value_len > sizeof(value)) {
			return ignored(controls[i].name, "too long");
		}
		len =
		    header_unfold(f->value, f->value_len, value, sizeof(value));
		return controls[i].fn((struct str){ value, len }, w);
	}
	return NULL;
}

void
control_clear(struct tx_wishes *w)
{
	buf_fini(&w->tags);
	buf_fini(&w->metadata);
	*w = (struct tx_wishes){ 0 };
}
