/* Whether words for people are about a delivery, and whether they only warn. */
#include <string.h>

#include "address.h"
#include "fields.h"
#include "read.h"
#include "text.h"

/* Evidence from which on a message counts as a report. */
#define ENOUGH 3

static const char *const subjects[] = { "undeliver", "non-deliver",
	"nondeliver", "not deliver", "non deliver", "unable to deliver",
	"delivery fail", "delivery status", "delivery notification",
	"delivery problem", "delivery error", "delivery report",
	"delivery warning", "delivery has failed", "delivery delay",
	"delivery incomplete", "failed delivery", "failure delivery",
	"failure notice", "returned mail", "returned to sender", "mail failure",
	"mail error", "message delivery", "mail system error", "failed mail",
	"delivery temporarily", "could not send", "could not be delivered",
	"couldn't be delivered", "user unknown", "unknown user", "not found",
	"message status", "mail delivery", "rejected mail", "warning: message",
	"unzustellbar", "non remis", "non recapitabile", "no se puede entregar",
	"onbestelbaar", "returning message", "loop alert", "not member",
	"bounce notification", "blocked by", "message you sent", "mailbox full",
	"permanent fail", "e-mail rejected", "mail rejected",
	"rejected:", "utilisateur", "address not", "delivery to", NULL };

static const char *const phrases[] = { "could not be delivered",
	"couldn't be delivered", "can not be delivered", "cannot be delivered",
	"can't be delivered", "was not delivered", "wasn't delivered",
	"not been delivered", "has not been delivered", "unable to deliver",
	"not able to deliver", "wasn't able to deliver",
	"were unable to deliver", "error delivering", "deliver a message",
	"delivering your mail", "failed permanently", "permanent fatal error",
	"permanent error", "delivery errors", "delivery problem",
	"had delivery", "delivery failed", "has failed due to",
	"delivery has failed", "delivery to the following", "undeliverable",
	"could not deliver", "did not reach the following", "not reach",
	"did not receive", "failed recipient", "final delivery", "user unknown",
	"unknown user", "no such user", "no mailbox", "mailbox unavailable",
	"mailbox is full", "mailbox full", "over quota", "address rejected",
	"not a valid user", "transcript of session follows",
	"was rejected by a remote", "email was rejected", "e-mail was rejected",
	"message was rejected", "mail was rejected", "rejected your message",
	"automatically rejected", "is not a valid", "does not exist",
	"doesn't exist", "couldn't be found", "has been delayed",
	"will be retried", "not yet been delivered", "delivery of email",
	"delivery attempts", "returned message", "message rejected",
	"did not exactly match", "no longer valid", "no longer in use",
	"non-delivery", "mail system error",
	"error-text:", "not a member of this mailing list", "delivery report",
	"has encountered delivery problem", "encountered a delivery",
	"message looping", "the message you tried to send", "was undeliverable",
	"malformed address", "had permanent", "duplicated message-id",
	"you may not have permission to post", "kan niet worden bezorgd",
	"n'a pas pu \xc3\xaatre", "konnte nicht zugestellt",
	"no pudo ser entregado",
	"n\xc3\xa3o p\xc3\xb4"
	"de ser",
	NULL };

static const char *const delays[] = { "will be retried", "has been delayed",
	"is delayed", "been delayed", "not yet been delivered",
	"warning message only", "do not need to resend", "will continue to try",
	"continue to try to deliver", "will continue to be made",
	"still being attempted", "attempts will continue", "has been postponed",
	"only a warning", "temporary failure report", "will retry for",
	"will keep trying", "no action is required on your part",
	"delivery incomplete", "will continue trying", NULL };

static const char *const delay_subjects[] = { "(delay)", "delayed",
	"delivery warning", "warning--could not send",
	"could not send message for past", "could not send mail for past",
	"delivery temporarily", "delivery delay",
	"status notification: warning", "delivery incomplete", NULL };

/* Somebody gave up all the same. */
static const char *const ends[] = { "giving up", "given up", "has failed",
	"failed permanently", "permanent error", "permanent failure",
	"permanent fatal", "could not be delivered to one or more", NULL };

static bool
is_from_system(const struct reading *r)
{
	char value[FIELD_VALUE_MAX + 1];
	struct buf folded = { 0 };
	bool is_system;

	if (address_is_role(str_of(r->from))) {
		return true;
	}
	if (!fields_get(r->mime.header, "From", value, sizeof(value))) {
		return false;
	}
	text_fold(str_of(value), &folded);
	is_system = str_is(buf_str(&folded), "<>") ||
	    text_has(buf_str(&folded), "mailer-daemon") ||
	    text_has(buf_str(&folded), "mail delivery") ||
	    text_has(buf_str(&folded), "postmaster") ||
	    text_has(buf_str(&folded), "mail administrator");
	buf_fini(&folded);
	return is_system;
}

bool
notice_is_delivery(const struct reading *r)
{
	struct str folded = buf_str(&r->folded);
	bool is_system = is_from_system(r);
	bool has_original =
	    r->original.len > 0 || mime_find(&r->mime, MIME_ORIGINAL) != NULL;
	unsigned points = 0, said;

	if (fields_has(r->mime.header, "X-Failed-Recipients") ||
	    mime_find(&r->mime, MIME_STATUS) != NULL) {
		return true;
	}
	/* A newsletter may say "does not exist" somewhere; a notice is short
	 * and says it early. */
	if (folded.len > 4096) {
		folded.len = 4096;
	}
	said = text_count(folded, phrases);
	points += is_system ? 2 : 0;
	points += r->has_null_sender ? 1 : 0;
	points += text_has_any(str_of(r->subject), subjects) ? 2 : 0;
	points += said > 2 ? 3 : said > 0 ? said + 1 : 0;
	points += points > 0 && has_original ? 1 : 0;
	points += mime_find(&r->mime, MIME_DISPOSITION) != NULL ? 1 : 0;
	if (!is_system && fields_has(r->mime.header, "List-Unsubscribe")) {
		points = points > 2 ? points - 2 : 0;
	}
	return points >= ENOUGH;
}

bool
notice_is_delay(const struct reading *r)
{
	struct str folded = buf_str(&r->folded);

	if (text_has_any(str_of(r->subject), delay_subjects)) {
		return true;
	}
	return text_has_any(folded, delays) && !text_has_any(folded, ends);
}
