/* Answers of machines in a person's place (RFC 3834), and challenges. */
#include <string.h>

#include "fields.h"
#include "read.h"
#include "text.h"

static const char *const subjects[] = { "out of office", "out of the office",
	"auto:", "autoreply", "auto-reply", "auto reply", "automatic reply",
	"automatic response", "automated reply", "automated response",
	"auto response", "auto-response", "autoresponse", "vacation",
	"on holiday", "away from", "away until", "i am away", "absence",
	"on leave", "abwesen", "automatische antwort", "automatisch antwoord",
	"autom\xc3\xa1tica", "automatique", "automatica", "automatiskt svar",
	"automaattinen vastaus", "autosvar", "automatick", "automatyczn",
	"automatiska atbilde", "\xe8\x87\xaa\xe5\x8b\x95", NULL };

static const char *const phrases[] = { "out of the office", "out of office",
	"on vacation", "on annual leave", "on holiday", "maternity leave",
	"parental leave", "sabbatical", "automatic reply",
	"automated response to your", "automated reply", "auto-reply",
	"automatic response", "currently away", "i am away",
	"limited access to", "intermittent access to",
	"will respond to your message", "reply to your message when",
	"will be back in the office", "upon my return", NULL };

/* Challenges and waiting lists: a person is to do something first. */
static const char *const challenges[] = { "waitlisted", "guest list",
	"not pre-approved", "to be delivered to my inbox",
	"confirm that you are", "verify that you are",
	"verify your email address by", "prove that you are",
	"complete the challenge", "spamarrest", "are not a spammer",
	"approved senders list", "approved sender list",
	"please confirm your message", "requires confirmation",
	"challenge-response", "challenge/response",
	"reply to this message to confirm", "to have your message delivered",
	"release your message", "add yourself to", NULL };

/* RFC 3834 section 5 and what was used before it. */
static bool
is_declared(struct str header)
{
	static const char *const marks[] = { "X-Autoreply", "X-Autorespond",
		"X-Autoresponder", "X-Vacation", "X-Auto-Reply",
		"X-Auto-Response", "X-AutoReply-From", "X-Mail-Autoreply",
		"X-Out-Of-Office" };
	char value[128];

	if (fields_get(header, "Auto-Submitted", value, sizeof(value)) &&
	    text_begins(str_of(value), "auto-replied")) {
		return true;
	}
	if (fields_get(header, "Precedence", value, sizeof(value)) &&
	    text_begins(str_of(value), "auto_reply")) {
		return true;
	}
	for (size_t i = 0; i < array_len(marks); i++) {
		if (fields_has(header, marks[i])) {
			return true;
		}
	}
	return false;
}

bool
auto_reply_is_challenge(const struct reading *r)
{
	return text_has_any(buf_str(&r->folded), challenges);
}

bool
auto_reply_parse(const struct reading *r, struct report *out)
{
	struct str folded = buf_str(&r->folded);

	out->is_challenge = auto_reply_is_challenge(r);
	if (!out->is_challenge && !is_declared(r->mime.header) &&
	    !text_has_any(str_of(r->subject), subjects) &&
	    !(folded.len < 2048 && text_has_any(folded, phrases))) {
		return false;
	}
	report_set_answer(out, r->notice);
	out->kind = REPORT_AUTO_REPLY;
	return true;
}
