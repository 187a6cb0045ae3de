/* Fields of message/delivery-status (RFC 3464 section 2, RFC 6533). */
#include <string.h>
#include <strings.h>

#include "address.h"
#include "diagnostic.h"
#include "fields.h"
#include "read.h"
#include "text.h"

/* What one block of fields, or the part of it for one recipient, says. */
struct block {
	char final[REPORT_ADDRESS_SIZE];
	char original[REPORT_ADDRESS_SIZE];
	char status[REPORT_STATUS_SIZE];
	char text[REPORT_TEXT_SIZE];
	char remote[256];
	enum report_action action;
	bool has_final;
	bool has_action;
};

const char *
report_action_name(enum report_action a)
{
	static const char *const names[] = { "failed", "delayed", "delivered",
		"relayed", "expanded" };

	return names[a];
}

static bool
read_action(struct str value, enum report_action *out)
{
	for (unsigned i = REPORT_FAILED; i <= REPORT_EXPANDED; i++) {
		if (text_begins(
			value, report_action_name((enum report_action)i))) {
			*out = (enum report_action)i;
			return true;
		}
	}
	return false;
}

/* "smtp; 550 5.1.1 ..." without the type (RFC 3464 section 2.3.6). */
static struct str
diagnostic_text(struct str value)
{
	const char *semi = memchr(value.p, ';', value.len);
	const char *blank = memchr(value.p, ' ', value.len);

	if (semi == NULL || (blank != NULL && blank < semi)) {
		return value;
	}
	return str_trim(
	    (struct str){ semi + 1, value.len - (size_t)(semi + 1 - value.p) });
}

/* X.400 names and mailboxes of some inner system tell us nothing. */
static bool
is_usable(const struct block *b)
{
	const char *at = strchr(b->final, '@');

	return b->original[0] == '\0' ||
	    (at != NULL && strchr(at, '.') != NULL);
}

/* RFC 3464 section 2.3.1: what we sent comes before what became of it. */
static void
emit(struct block *b, struct report *out)
{
	struct report_rcpt *r;

	if (!b->has_final && b->original[0] == '\0') {
		return;
	}
	r = report_add(out);
	if (r == NULL) {
		return;
	}
	report_set_address(
	    r->address, str_of(is_usable(b) ? b->final : b->original));
	report_set_address(r->original, str_of(b->original));
	memcpy(r->status, b->status, sizeof(r->status));
	report_set_text(r, str_of(b->text));
	memcpy(r->remote_mta, b->remote, sizeof(r->remote_mta));
	r->action = b->action;
	if (!b->has_action && b->status[0] == '2') {
		r->action = REPORT_DELIVERED;
	}
}

static void
take_address(char *dst, struct str value)
{
	struct str address;

	if (address_of_field(value, &address)) {
		report_set_address(dst, address);
	}
}

static void
take_field(struct block *b, const struct field *f, struct report *out)
{
	if (field_is(f, "Final-Recipient")) {
		take_address(b->final, f->value);
		b->has_final = true;
	} else if (field_is(f, "Original-Recipient")) {
		take_address(b->original, f->value);
	} else if (field_is(f, "Action")) {
		b->has_action = read_action(f->value, &b->action);
	} else if (field_is(f, "Status")) {
		diagnostic_status(f->value, b->status);
	} else if (field_is(f, "Diagnostic-Code") && f->value.len > 0) {
		str_copy(b->text, sizeof(b->text), diagnostic_text(f->value));
	} else if (field_is(f, "Remote-MTA") && f->value.len > 0) {
		str_copy(
		    b->remote, sizeof(b->remote), diagnostic_text(f->value));
	} else if (field_is(f, "Reporting-MTA") &&
	    out->reporting_mta[0] == '\0' && f->value.len > 0) {
		str_copy(out->reporting_mta, sizeof(out->reporting_mta),
		    diagnostic_text(f->value));
	}
}

/* Does the field begin the next recipient of a block without empty lines? */
static bool
is_next(const struct block *b, const struct field *f)
{
	return b->has_final &&
	    (field_is(f, "Final-Recipient") ||
		(field_is(f, "Original-Recipient") && b->original[0] != '\0'));
}

bool
dsn_parse(struct str fields, struct report *out)
{
	/* What a block without recipient says holds for those behind it. */
	struct block general = { 0 }, b = { 0 };
	struct field f = { 0 };
	size_t before = out->n_rcpts;
	enum field_step step;

	do {
		step = fields_next(&fields, &f);
		if (step == FIELD_FOUND) {
			if (is_next(&b, &f)) {
				emit(&b, out);
				b = general;
			}
			take_field(&b, &f, out);
		} else if (step != FIELD_JUNK) {
			if (b.has_final || b.original[0] != '\0') {
				emit(&b, out);
				b = general;
			} else {
				general = b;
			}
		}
	} while (step != FIELD_END && out->n_rcpts < REPORT_RCPTS_MAX);
	fields_fini(&f);
	return out->n_rcpts > before;
}
