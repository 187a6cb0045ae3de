#include "facts.h"

#include <string.h>

#include "event.h"

/* The recipient whose failure counts: one whose address may be good, if there
 * is one. NULL: none failed. *is_mixed: some did not fail. */
static const struct report_rcpt *
choose(const struct report *r, bool *is_mixed)
{
	const struct report_rcpt *best = NULL;

	*is_mixed = false;
	for (size_t i = 0; i < r->n_rcpts; i++) {
		const struct report_rcpt *rcpt = &r->rcpts[i];

		if (rcpt->action != REPORT_FAILED) {
			*is_mixed = true;
		} else if (best == NULL || (best->is_hard && !rcpt->is_hard)) {
			best = rcpt;
		}
	}
	return best;
}

static uint16_t
kind_of(const struct report_rcpt *rcpt, bool is_hard)
{
	switch (reason_desc(rcpt->reason)->event) {
	case REASON_EVENT_AUTO_REPLY:
		return EVENT_auto_reply;
	case REASON_EVENT_UNSUBSCRIBE:
		return EVENT_unsubscribe;
	case REASON_EVENT_BOUNCE:
	case REASON_EVENT_SOFT_BOUNCE:
		break;
	}
	return is_hard ? EVENT_bounce : EVENT_soft_bounce;
}

static bool
from_delivery(
    const struct report *r, struct ipc_report_fact *out, const char **why)
{
	bool is_mixed;
	const struct report_rcpt *rcpt = choose(r, &is_mixed);

	if (rcpt == NULL) {
		*why = r->n_rcpts > 0 ? report_action_name(r->rcpts[0].action)
				      : "no recipient";
		return false;
	}
	out->is_hard = rcpt->is_hard && !is_mixed;
	out->kind = kind_of(rcpt, out->is_hard);
	out->rcpt_to =
	    str_of(rcpt->original[0] != '\0' ? rcpt->original : rcpt->address);
	out->status = str_of(rcpt->status);
	out->text = str_of(rcpt->text);
	out->class = str_of(reason_desc(rcpt->reason)->name);
	return true;
}

static bool
from_feedback(
    const struct report *r, struct ipc_report_fact *out, const char **why)
{
	/* RFC 5965 section 7.3 and RFC 6591: not about an unwanted message */
	static const char *const others[] = { "not-spam", "auth-failure",
		"dmarc", "dkim" };

	for (size_t i = 0; i < array_len(others); i++) {
		if (strcmp(r->feedback_type, others[i]) == 0) {
			*why = others[i];
			return false;
		}
	}
	out->kind = strncmp(r->feedback_type, "opt-out", 7) == 0
	    ? EVENT_unsubscribe
	    : EVENT_complaint;
	out->class = STR("spam");
	out->feedback_type = str_of(r->feedback_type);
	if (r->n_rcpts > 0) {
		out->rcpt_to = str_of(r->rcpts[0].address);
	}
	return true;
}

bool
facts_from_report(
    const struct report *r, struct ipc_report_fact *out, const char **why)
{
	out->reporting_mta = str_of(r->reporting_mta);
	switch (r->kind) {
	case REPORT_DELIVERY:
		return from_delivery(r, out, why);
	case REPORT_FEEDBACK:
		return from_feedback(r, out, why);
	case REPORT_AUTO_REPLY:
	case REPORT_OTHER:
		break;
	}
	out->kind = EVENT_auto_reply;
	out->class = str_of(r->kind == REPORT_OTHER ? "other"
		: r->is_challenge ? reason_desc(REASON_CHALLENGE)->name
				  : reason_desc(REASON_AUTO_REPLY)->name);
	out->text = str_of(r->answer);
	return true;
}
