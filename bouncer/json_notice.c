/*
 * Notices as JSON text in a mail, as Amazon's notification service sends them:
 * {"notificationType": "Bounce", "bounce": {"bouncedRecipients": [...]}, ...},
 * perhaps as a string in another object's "Message".
 */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "diagnostic.h"
#include "read.h"

/* Sendmail cuts long lines by "!", a line end and a blank. */
static void
add_unwrapped(struct buf *out, struct str s)
{
	while (s.len > 0) {
		const char *cut = memmem(s.p, s.len, "!\n ", 3);
		size_t n = cut != NULL ? (size_t)(cut - s.p) : s.len;

		buf_add(out, s.p, n);
		n += cut != NULL ? 3 : 0;
		s.p += n;
		s.len -= n;
	}
}

static json_t *
load(struct str text)
{
	struct buf whole = { 0 };
	json_t *o;

	add_unwrapped(&whole, text);
	/* What follows is a footer of the mail. */
	o = json_loadb(
	    (const char *)whole.p, whole.len, JSON_DISABLE_EOF_CHECK, NULL);
	buf_fini(&whole);
	return o;
}

static const char *
get(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

/* The notice itself; NULL when the text is something else. */
static json_t *
find_notice(struct str words)
{
	json_t *outer, *inner;
	const char *message;

	words = str_trim(words);
	if (words.len < 2 || words.p[0] != '{') {
		return NULL;
	}
	outer = load(words);
	message = get(outer, "Message");
	if (message[0] == '\0') {
		return outer;
	}
	inner = load(str_of(message));
	json_decref(outer);
	return inner;
}

static void
add_bounced(const json_t *one, const char *kind, struct report *out)
{
	struct report_rcpt *r = report_add(out);
	struct str text = str_of(get(one, "diagnosticCode"));

	if (r == NULL) {
		return;
	}
	report_set_address(r->address, str_of(get(one, "emailAddress")));
	diagnostic_status(str_of(get(one, "status")), r->status);
	report_set_text(r, text);
	if (strcasecmp(get(one, "action"), "delayed") == 0) {
		r->action = REPORT_DELAYED;
	}
	if (r->status[0] == '\0' && strcasecmp(kind, "Transient") == 0) {
		str_copy(r->status, sizeof(r->status), STR("4.0.0"));
	}
}

static bool
read_list(const json_t *section, const char *list, enum report_kind kind,
    struct report *out)
{
	const json_t *rcpts = json_object_get(section, list);
	const json_t *one;
	size_t i;

	json_array_foreach(rcpts, i, one)
	{
		if (kind == REPORT_DELIVERY) {
			add_bounced(one, get(section, "bounceType"), out);
		} else {
			struct report_rcpt *r = report_add(out);

			if (r != NULL) {
				report_set_address(r->address,
				    str_of(get(one, "emailAddress")));
			}
		}
	}
	out->kind = kind;
	return json_is_array(rcpts);
}

static void
read_delivery(const json_t *section, struct report *out)
{
	const json_t *rcpts = json_object_get(section, "recipients");
	const json_t *one;
	size_t i;

	json_array_foreach(rcpts, i, one)
	{
		struct report_rcpt *r = report_add(out);

		if (r != NULL && json_is_string(one)) {
			report_set_address(
			    r->address, str_of(json_string_value(one)));
			r->action = REPORT_DELIVERED;
		}
	}
	out->kind = REPORT_DELIVERY;
}

static bool
read_notice(const json_t *notice, struct report *out)
{
	const char *type = get(notice, "notificationType");
	const json_t *section;

	if (type[0] == '\0') {
		type = get(notice, "eventType");
	}
	if (strcasecmp(type, "Bounce") == 0) {
		section = json_object_get(notice, "bounce");
		return read_list(
		    section, "bouncedRecipients", REPORT_DELIVERY, out);
	}
	if (strcasecmp(type, "Complaint") == 0) {
		section = json_object_get(notice, "complaint");
		str_copy(out->feedback_type, sizeof(out->feedback_type),
		    str_of(get(section, "complaintFeedbackType")));
		return read_list(
		    section, "complainedRecipients", REPORT_FEEDBACK, out);
	}
	if (strcasecmp(type, "Delivery") == 0) {
		read_delivery(json_object_get(notice, "delivery"), out);
		return true;
	}
	return false;
}

bool
json_notice_parse(const struct reading *r, struct report *out)
{
	json_t *notice = find_notice(buf_str(&r->words));
	bool is_read = notice != NULL && read_notice(notice, out);

	json_decref(notice);
	return is_read;
}
