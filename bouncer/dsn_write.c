#include "dsn_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bouncer.h"
#include "header.h"
#include "smtp_param.h"

/* A line of a reply is cut beyond; RFC 5322 section 2.1.1 allows 998. */
#define LINE_MAX_BYTES 900

struct writing {
	const struct dsn_input *in;
	struct dsn_output *out;
	struct buf *b;
	enum dsn_action action; /* of the first item: all are alike or nearly */
	char boundary[UUID_TEXT_SIZE + 8];
};

static bool
has_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] >= 0x80) {
			return true;
		}
	}
	return false;
}

/* Foreign text inside a line: nothing may end it, and bytes above 127 stay
 * only where the whole notification is in UTF-8. */
static void
put_text(const struct writing *w, struct str s)
{
	if (s.len > LINE_MAX_BYTES) {
		s.len = LINE_MAX_BYTES;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\t') {
			c = ' ';
		} else if (c < ' ' || c == 127 ||
		    (c >= 0x80 && !w->in->is_utf8)) {
			c = '?';
		}
		buf_u8(w->b, c);
	}
}

/* A reply of several lines, each on a line of its own. */
static void
put_lines(const struct writing *w, struct str s, const char *between)
{
	struct str line;
	bool is_first = true;

	while (str_split(&s, '\n', &line)) {
		line = str_trim(line);
		if (line.len == 0) {
			continue;
		}
		if (!is_first) {
			buf_puts(w->b, between);
		}
		is_first = false;
		put_text(w, line);
	}
}

static void
put_xtext(const struct writing *w, struct str s)
{
	char plain[1024];
	ssize_t n;

	if (s.len > sizeof(plain)) {
		s.len = sizeof(plain);
	}
	n = smtp_xtext_decode(s.p, s.len, plain, sizeof(plain));
	put_text(w, n >= 0 ? (struct str){ plain, (size_t)n } : s);
}

/* ---- header and words --------------------------------------------------- */

static const char *
subject_of(enum dsn_action a)
{
	switch (a) {
	case DSN_DELAYED:
		return "Delayed Mail (still being retried)";
	case DSN_RELAYED:
		return "Successful Mail Delivery Report";
	case DSN_FAILED:
		break;
	}
	return "Undelivered Mail Returned to Sender";
}

static void
put_header(struct writing *w)
{
	const struct dsn_input *in = w->in;
	char date[DATE_SIZE];

	date_print(in->now_us, date);
	buf_printf(w->b, "Received: by %.*s (Packetboat); %s\r\n",
	    STR_ARG(in->hostname), date);
	buf_printf(w->b, "Date: %s\r\n", date);
	buf_printf(w->b, "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\n",
	    STR_ARG(in->hostname));
	buf_puts(w->b, "To: ");
	put_text(w, in->sender);
	buf_printf(w->b, "\r\nSubject: %s\r\n", w->out->subject);
	buf_printf(w->b, "Message-ID: %s\r\n", w->out->message_id);
	buf_puts(w->b, "Auto-Submitted: auto-replied\r\n");
	buf_puts(w->b, "MIME-Version: 1.0\r\n");
	buf_printf(w->b,
	    "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    in->is_utf8 ? "global-" : "", w->boundary);
	if (w->out->is_8bit) {
		buf_puts(w->b, "Content-Transfer-Encoding: 8bit\r\n");
	}
	buf_puts(w->b, "\r\nThis is a MIME-encapsulated message.\r\n");
}

static void
put_part(struct writing *w, const char *type, bool is_8bit)
{
	buf_printf(w->b, "\r\n--%s\r\nContent-Type: %s\r\n", w->boundary, type);
	if (is_8bit) {
		buf_puts(w->b, "Content-Transfer-Encoding: 8bit\r\n");
	}
	buf_puts(w->b, "\r\n");
}

static void
put_words(struct writing *w)
{
	struct str items = w->in->items;
	struct dsn_item i;
	char id[UUID_TEXT_SIZE];

	put_part(w,
	    w->in->is_utf8 ? "text/plain; charset=utf-8"
			   : "text/plain; charset=us-ascii",
	    w->in->is_utf8);
	uuid_print(&w->in->msgid, id);
	buf_printf(w->b, "This is the mail system at host %.*s.\r\n\r\n",
	    STR_ARG(w->in->hostname));
	switch (w->action) {
	case DSN_FAILED:
		buf_puts(w->b,
		    "Your message could not be delivered to one or more "
		    "recipients.\r\nIt, or its header, is attached below.\r\n");
		break;
	case DSN_DELAYED:
		buf_puts(w->b,
		    "Your message has not been delivered yet to one or more "
		    "recipients.\r\nAttempts go on; you need not send it "
		    "again.\r\n");
		break;
	case DSN_RELAYED:
		buf_puts(w->b,
		    "Your message was delivered to the recipients below, to "
		    "servers\r\nthat may not tell more about it.\r\n");
		break;
	}
	buf_printf(w->b, "\r\nIts id here is %s.\r\n\r\n", id);
	while (dsn_item_next(&items, &i)) {
		buf_puts(w->b, "<");
		put_text(w, i.address);
		buf_puts(w->b, i.reply.len > 0 ? ">: " : ">");
		put_lines(w, i.reply, "\r\n    ");
		buf_puts(w->b, "\r\n");
	}
}

/* ---- fields ------------------------------------------------------------- */

/* RFC 3461 section 6.3 (c): ORCPT= decoded, "type;address". */
static void
put_original(const struct writing *w, struct str orcpt)
{
	const char *semi;
	struct str type, address;

	if (orcpt.len == 0) {
		return;
	}
	semi = memchr(orcpt.p, ';', orcpt.len);
	if (semi == NULL) {
		return;
	}
	type = (struct str){ orcpt.p, (size_t)(semi - orcpt.p) };
	address = (struct str){ semi + 1, orcpt.len - type.len - 1 };
	buf_puts(w->b, "Original-Recipient: ");
	put_text(w, type);
	buf_puts(w->b, "; ");
	put_xtext(w, address);
	buf_puts(w->b, "\r\n");
}

/* Whether it is what a server said, with its code, and no words of ours. */
static bool
is_reply(struct str s)
{
	return s.len > 4 && (s.p[0] == '4' || s.p[0] == '5') && s.p[1] >= '0' &&
	    s.p[1] <= '9' && s.p[2] >= '0' && s.p[2] <= '9' &&
	    (s.p[3] == ' ' || s.p[3] == '-');
}

static void
put_item(const struct writing *w, const struct dsn_item *i)
{
	static const char *const actions[] = { "failed", "delayed", "relayed" };
	char date[DATE_SIZE];

	buf_puts(w->b, "\r\n");
	put_original(w, i->orcpt);
	buf_printf(w->b, "Final-Recipient: %s; ",
	    has_8bit(i->address) ? "utf-8" : "rfc822");
	put_text(w, i->address);
	buf_printf(w->b, "\r\nAction: %s\r\nStatus: ",
	    actions[i->action <= DSN_RELAYED ? i->action : DSN_FAILED]);
	/* RFC 3464 section 2.3.4 wants one always */
	put_text(w,
	    i->status.len > 0		   ? i->status
		: i->action == DSN_FAILED  ? STR("5.0.0")
		: i->action == DSN_DELAYED ? STR("4.0.0")
					   : STR("2.0.0"));
	buf_puts(w->b, "\r\n");
	if (i->remote_mta.len > 0) {
		buf_puts(w->b, "Remote-MTA: dns; ");
		put_text(w, i->remote_mta);
		buf_puts(w->b, "\r\n");
	}
	if (i->reply.len > 0) {
		buf_puts(w->b,
		    i->remote_mta.len > 0 || is_reply(i->reply)
			? "Diagnostic-Code: smtp; "
			: "Diagnostic-Code: X-Packetboat; ");
		put_lines(w, i->reply, "\r\n    ");
		buf_puts(w->b, "\r\n");
	}
	if (i->last_attempt_us != 0) {
		buf_printf(w->b, "Last-Attempt-Date: %s\r\n",
		    date_print(i->last_attempt_us, date));
	}
	if (i->action == DSN_DELAYED && w->in->expires_us != 0) {
		buf_printf(w->b, "Will-Retry-Until: %s\r\n",
		    date_print(w->in->expires_us, date));
	}
}

static void
put_status(struct writing *w)
{
	struct str items = w->in->items;
	struct dsn_item i;
	char date[DATE_SIZE];

	put_part(w,
	    w->in->is_utf8 ? "message/global-delivery-status"
			   : "message/delivery-status",
	    w->in->is_utf8);
	if (w->in->env_id.len > 0) {
		buf_puts(w->b, "Original-Envelope-Id: ");
		put_xtext(w, w->in->env_id);
		buf_puts(w->b, "\r\n");
	}
	buf_printf(
	    w->b, "Reporting-MTA: dns; %.*s\r\n", STR_ARG(w->in->hostname));
	buf_printf(
	    w->b, "Arrival-Date: %s\r\n", date_print(w->in->arrival_us, date));
	while (dsn_item_next(&items, &i)) {
		put_item(w, &i);
	}
}

/* ---- the message itself ------------------------------------------------- */

/* RFC 3461 section 6.2: RET= is for failures only, the header is enough for
 * the rest. Too big to go back counts as RET=HDRS. */
static bool
returns_all(const struct writing *w)
{
	const struct dsn_input *in = w->in;

	return w->action == DSN_FAILED && in->ret != 2 && in->is_whole &&
	    in->content.len <= in->size_limit;
}

/* How much of a header goes back at most, ending with a line. */
static size_t
header_len(const struct dsn_input *in)
{
	size_t n = header_block_len(in->content.p, in->content.len);

	if (n > in->size_limit) {
		n = in->size_limit;
		while (n > 0 && in->content.p[n - 1] != '\n') {
			n--;
		}
	}
	return n;
}

static void
put_message(struct writing *w)
{
	const struct dsn_input *in = w->in;
	bool is_all = returns_all(w);
	size_t n = is_all ? in->content.len : header_len(in);
	struct str part = { in->content.p, n };
	bool is_8bit = has_8bit(part);

	if (is_all) {
		put_part(w, in->is_utf8 ? "message/global" : "message/rfc822",
		    is_8bit);
	} else {
		put_part(w,
		    in->is_utf8 ? "message/global-headers"
				: "text/rfc822-headers",
		    is_8bit);
	}
	buf_add(w->b, part.p, part.len);
	if (n < 2 || part.p[n - 1] != '\n') {
		buf_puts(w->b, "\r\n");
	}
	buf_printf(w->b, "\r\n--%s--\r\n", w->boundary);
}

int
dsn_write(const struct dsn_input *in, struct dsn_output *out)
{
	struct writing w = { .in = in, .out = out, .b = &out->content };
	struct str items = in->items;
	struct dsn_item first, i;
	char id[UUID_TEXT_SIZE];

	memset(out, 0, sizeof(*out));
	if (!dsn_item_next(&items, &first)) {
		return items.len == 0 ? -ENODATA : -EBADMSG;
	}
	w.action = first.action <= DSN_RELAYED ? (enum dsn_action)first.action
					       : DSN_FAILED;
	while (dsn_item_next(&items, &i)) {
		/* the gravest one gives the subject */
		if (i.action < w.action) {
			w.action = (enum dsn_action)i.action;
		}
	}
	if (items.len != 0) {
		return -EBADMSG;
	}
	uuid_print(&in->id, id);
	(void)snprintf(w.boundary, sizeof(w.boundary), "=_%s", id);
	(void)snprintf(
	    out->subject, sizeof(out->subject), "%s", subject_of(w.action));
	(void)snprintf(out->message_id, sizeof(out->message_id), "<%s@%.*s>",
	    id, STR_ARG(in->hostname));
	out->action = w.action;
	out->is_utf8 = in->is_utf8;
	out->is_8bit = in->is_utf8 || in->is_8bit || has_8bit(in->content);
	put_header(&w);
	put_words(&w);
	put_status(&w);
	put_message(&w);
	return 0;
}
