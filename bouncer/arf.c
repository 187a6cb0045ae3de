/* Complaints: ARF (RFC 5965, 6591, 6650) and two that are older or simpler. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "fields.h"
#include "read.h"
#include "text.h"

static void
add_rcpt(struct report *out, struct str value)
{
	struct report_rcpt *r;
	struct str address;

	if (!address_of_field(value, &address)) {
		return;
	}
	for (size_t i = 0; i < out->n_rcpts; i++) {
		if (address_eq(address, str_of(out->rcpts[i].address))) {
			return;
		}
	}
	r = report_add(out);
	if (r != NULL) {
		report_set_address(r->address, address);
	}
}

static void
set_type(struct report *out, struct str value)
{
	size_t n = 0;

	while (n < value.len && n + 1 < sizeof(out->feedback_type) &&
	    (isalnum((unsigned char)value.p[n]) || value.p[n] == '-')) {
		out->feedback_type[n] =
		    (char)tolower((unsigned char)value.p[n]);
		n++;
	}
	out->feedback_type[n] = '\0';
}

static void
take_field(struct report *out, const struct field *f)
{
	struct str address;

	if (field_is(f, "Feedback-Type")) {
		set_type(out, f->value);
	} else if (field_is(f, "Original-Rcpt-To") ||
	    field_is(f, "Removal-Recipient")) {
		add_rcpt(out, f->value);
	} else if (field_is(f, "Original-Mail-From") &&
	    address_of_field(f->value, &address)) {
		report_set_address(out->return_path, address);
	} else if (field_is(f, "Reporting-MTA") ||
	    (field_is(f, "User-Agent") && out->reporting_mta[0] == '\0')) {
		str_copy(
		    out->reporting_mta, sizeof(out->reporting_mta), f->value);
	}
}

static void
read_fields(struct str fields, struct report *out)
{
	struct field f = { 0 };
	enum field_step step;

	while ((step = fields_next(&fields, &f)) != FIELD_END) {
		if (step == FIELD_FOUND) {
			take_field(out, &f);
		}
	}
	fields_fini(&f);
}

/* Redacted reports name nobody; the message itself may. */
static void
read_original(const struct reading *r, struct report *out)
{
	static const char *const names[] = { "X-HmXmrOriginalRecipient",
		"X-Original-To", "Delivered-To", "To" };
	char value[FIELD_VALUE_MAX + 1];

	for (size_t i = 0; i < array_len(names) && out->n_rcpts == 0; i++) {
		if (fields_get(r->original, names[i], value, sizeof(value))) {
			add_rcpt(out, str_of(value));
		}
	}
	if (out->return_path[0] == '\0' &&
	    fields_get(r->original, "Return-Path", value, sizeof(value))) {
		struct str address;

		if (address_of_field(str_of(value), &address)) {
			report_set_address(out->return_path, address);
		}
	}
}

/* A click on "unsubscribe" that a mail program turned into a message. */
static bool
is_unsubscribe(const struct reading *r)
{
	return fields_has(r->mime.header, "X-Apple-Unsubscribe") ||
	    strcmp(r->subject, "unsubscribe") == 0;
}

static bool
has_feedback_fields(struct str words)
{
	char type[33];

	while (words.len > 0) {
		const char *hit;

		if (fields_get(words, "Feedback-Type", type, sizeof(type))) {
			return fields_has(words, "User-Agent") ||
			    fields_has(words, "Version");
		}
		hit = memmem(words.p, words.len, "\n\n", 2);
		if (hit == NULL) {
			break;
		}
		words.len -= (size_t)(hit + 2 - words.p);
		words.p = hit + 2;
	}
	return false;
}

bool
arf_parse(const struct reading *r, struct report *out)
{
	const struct mime_part *p = mime_find(&r->mime, MIME_FEEDBACK);

	if (p != NULL) {
		read_fields(p->text, out);
	} else if (r->original.len > 0 &&
	    (fields_has(r->original, "X-HmXmrOriginalRecipient") ||
		text_begins(
		    str_of(r->subject), "complaint about message from"))) {
		str_copy(out->feedback_type, sizeof(out->feedback_type),
		    STR("abuse"));
	} else if (is_unsubscribe(r)) {
		str_copy(out->feedback_type, sizeof(out->feedback_type),
		    STR("opt-out"));
		add_rcpt(out, str_of(r->from));
	} else if (r->notice.len < 4096 && has_feedback_fields(r->notice)) {
		read_fields(r->notice, out);
	} else {
		return false;
	}
	read_original(r, out);
	if (out->feedback_type[0] == '\0') {
		/* RFC 5965 section 3.1 requires it; some leave it out */
		str_copy(out->feedback_type, sizeof(out->feedback_type),
		    STR("other"));
	}
	out->kind = REPORT_FEEDBACK;
	return true;
}
