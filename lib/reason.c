#include "reason.h"

#include <errno.h>
#include <limits.h>

static const struct reason_desc reasons[REASON_N] = {
	[REASON_OTHER] = { "other", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "The reply fits no rule." },
	[REASON_BAD_MAILBOX] = { "bad_mailbox", true, true, false,
	    REASON_EVENT_BOUNCE, "The domain has no such mailbox." },
	[REASON_INACTIVE_MAILBOX] = { "inactive_mailbox", true, true, false,
	    REASON_EVENT_BOUNCE,
	    "The mailbox exists but is disabled, suspended or abandoned." },
	[REASON_BAD_DOMAIN] = { "bad_domain", true, true, false,
	    REASON_EVENT_BOUNCE,
	    "The recipient's domain does not exist or takes no mail." },
	[REASON_MAILBOX_FULL] = { "mailbox_full", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "The mailbox is over its quota." },
	[REASON_TOO_LARGE] = { "too_large", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The message is larger than the server takes." },
	[REASON_CONTENT] = { "content", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The form of the message was refused: header, MIME, encoding." },
	[REASON_ATTACHMENT] = { "attachment", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "An attachment's type was refused." },
	[REASON_VIRUS] = { "virus", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The server found malware in the message." },
	[REASON_SPAM_CONTENT] = { "spam_content", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The message was taken for spam because of what it says." },
	[REASON_SPAM_IP] = { "spam_ip", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The source address or its reputation was refused." },
	[REASON_POLICY] = { "policy", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "A rule of the recipient's site refused the message." },
	[REASON_AUTH] = { "auth", false, false, false, REASON_EVENT_SOFT_BOUNCE,
	    "SPF, DKIM or DMARC did not satisfy the server." },
	[REASON_TLS] = { "tls", false, false, false, REASON_EVENT_SOFT_BOUNCE,
	    "Encryption was required and could not be had." },
	[REASON_RATE] = { "rate", false, false, true, REASON_EVENT_SOFT_BOUNCE,
	    "Too much mail or too many connections in a time." },
	[REASON_GREYLIST] = { "greylist", false, false, true,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The server asks every new sender to come again later." },
	[REASON_TOO_MANY_RCPT] = { "too_many_rcpt", false, false, true,
	    REASON_EVENT_SOFT_BOUNCE,
	    "Too many recipients in one transaction." },
	[REASON_RELAYING] = { "relaying", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The server does not serve the recipient's domain." },
	[REASON_SENDER] = { "sender", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The sender's address or domain was refused." },
	[REASON_PROTOCOL] = { "protocol", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "A command was refused, or the server broke the protocol." },
	[REASON_CONFIG] = { "config", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "A fault of a system's set-up, ours or the server's." },
	[REASON_DNS] = { "dns", false, false, false, REASON_EVENT_SOFT_BOUNCE,
	    "A name could not be resolved for now." },
	[REASON_CONNECTION] = { "connection", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "No connection to the server, or it broke." },
	[REASON_TIMEOUT] = { "timeout", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE, "The server did not answer in time." },
	[REASON_ROUTING] = { "routing", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The way to the mailbox is a loop or leads nowhere." },
	[REASON_EXPIRED] = { "expired", false, false, false,
	    REASON_EVENT_SOFT_BOUNCE,
	    "The message was given up after its lifetime." },
	[REASON_AUTO_REPLY] = { "auto_reply", false, false, false,
	    REASON_EVENT_AUTO_REPLY, "An answering machine wrote back." },
	[REASON_CHALLENGE] = { "challenge", false, false, false,
	    REASON_EVENT_AUTO_REPLY,
	    "The recipient's system asks the sender to prove himself." },
	[REASON_UNSUBSCRIBE] = { "unsubscribe", false, true, false,
	    REASON_EVENT_UNSUBSCRIBE, "The recipient wants no more mail." },
};

const struct reason_desc *
reason_desc(enum reason r)
{
	bug_on((unsigned)r >= REASON_N);
	return &reasons[r];
}

int
reason_parse(struct str name, enum reason *out)
{
	for (unsigned i = 0; i < REASON_N; i++) {
		if (str_is(name, reasons[i].name)) {
			*out = (enum reason)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *
reason_nearest(const char *name)
{
	const char *best = reasons[REASON_OTHER].name;
	unsigned least = UINT_MAX;

	for (unsigned i = 0; i < REASON_N; i++) {
		unsigned d = str_distance(name, reasons[i].name);

		if (d < least) {
			least = d;
			best = reasons[i].name;
		}
	}
	return best;
}
