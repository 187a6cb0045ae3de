#include "esmtp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "smtp_param.h"

struct line {
	char *p;
	size_t len;
	int error;
};

static void
line_add(struct line *l, struct str s)
{
	if (l->len + s.len > ESMTP_LINE_MAX - 2) {
		l->error = -EMSGSIZE;
		return;
	}
	if (s.len > 0) {
		memcpy(l->p + l->len, s.p, s.len);
	}
	l->len += s.len;
}

static void
line_puts(struct line *l, const char *s)
{
	line_add(l, str_of(s));
}

static int
line_end(struct line *l)
{
	if (l->error < 0) {
		return l->error;
	}
	memcpy(l->p + l->len, "\r\n", 2);
	return (int)l->len + 2;
}

/*
 * An address is written as it was accepted. Blanks may stand in a quoted local
 * part only; the angle brackets must stay ours.
 */
static bool
is_writable(struct str address)
{
	bool is_quoted = false;

	for (size_t i = 0; i < address.len; i++) {
		unsigned char c = (unsigned char)address.p[i];

		if (c < 32 || c == 127) {
			return false;
		}
		if (is_quoted && c == '\\' && i + 1 < address.len) {
			i++;
			if ((unsigned char)address.p[i] < 32) {
				return false;
			}
		} else if (c == '"') {
			is_quoted = !is_quoted;
		} else if (!is_quoted && (c == ' ' || c == '<' || c == '>')) {
			return false;
		}
	}
	return !is_quoted;
}

static void
line_address(struct line *l, struct str address)
{
	if (!is_writable(address)) {
		l->error = -EBADMSG;
	}
	line_puts(l, "<");
	line_add(l, address);
	line_puts(l, ">");
}

/* xtext (RFC 3461 section 4): kept as given when it is, else encoded. */
static void
line_xtext(struct line *l, struct str s)
{
	char out[1024];
	ssize_t n = smtp_xtext_decode(s.p, s.len, out, sizeof(out));

	if (n >= 0) {
		line_add(l, s);
		return;
	}
	n = smtp_xtext_encode(s.p, s.len, out, sizeof(out));
	if (n < 0) {
		l->error = -EMSGSIZE;
		return;
	}
	line_add(l, (struct str){ out, (size_t)n });
}

static void
mail_dsn(struct line *l, const struct esmtp_mail *m)
{
	if (m->ret == 1) {
		line_puts(l, " RET=FULL");
	} else if (m->ret == 2) {
		line_puts(l, " RET=HDRS");
	}
	if (m->env_id.len > 0) {
		line_puts(l, " ENVID=");
		line_xtext(l, m->env_id);
	}
}

int
esmtp_mail(char *dst, const struct esmtp_mail *m, const struct ehlo *server)
{
	struct line l = { .p = dst };

	line_puts(&l, "MAIL FROM:");
	line_address(&l, m->sender);
	if ((server->caps & EHLO_SIZE) != 0) {
		char size[32];

		(void)snprintf(size, sizeof(size), " SIZE=%llu",
		    (unsigned long long)m->size);
		line_puts(&l, size);
	}
	/* Without 8BITMIME the message goes as it is: its signature does not
	 * survive a conversion, and servers take it. */
	if ((m->flags & MESSAGE_8BIT) != 0 &&
	    (server->caps & EHLO_8BITMIME) != 0) {
		line_puts(&l, " BODY=8BITMIME");
	}
	if (m->is_utf8) {
		line_puts(&l, " SMTPUTF8");
	}
	if ((m->flags & MESSAGE_REQUIRETLS) != 0 &&
	    (server->caps & EHLO_REQUIRETLS) != 0) {
		line_puts(&l, " REQUIRETLS");
	}
	if ((server->caps & EHLO_DSN) != 0) {
		mail_dsn(&l, m);
	}
	return line_end(&l);
}

static void
rcpt_notify(struct line *l, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {
		{ RCPT_NOTIFY_NEVER, "NEVER" },
		{ RCPT_NOTIFY_SUCCESS, "SUCCESS" },
		{ RCPT_NOTIFY_FAILURE, "FAILURE" },
		{ RCPT_NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < array_len(words); i++) {
		if ((notify & words[i].bit) != 0) {
			line_puts(l, before);
			line_puts(l, words[i].word);
			before = ",";
		}
	}
}

/* The type stays, what is behind the semicolon is xtext. */
static void
rcpt_orcpt(struct line *l, struct str orcpt)
{
	struct str type;

	if (!str_split(&orcpt, ';', &type) || orcpt.len == 0 ||
	    !is_writable(type)) {
		return;
	}
	line_puts(l, " ORCPT=");
	line_add(l, type);
	line_puts(l, ";");
	line_xtext(l, orcpt);
}

int
esmtp_rcpt(char *dst, const struct esmtp_rcpt *r, const struct ehlo *server)
{
	struct line l = { .p = dst };

	line_puts(&l, "RCPT TO:");
	line_address(&l, r->address);
	if ((server->caps & EHLO_DSN) != 0) {
		rcpt_notify(&l, r->notify);
		rcpt_orcpt(&l, r->orcpt);
	}
	return line_end(&l);
}

int
esmtp_hello(char *dst, const char *verb, struct str name)
{
	struct line l = { .p = dst };

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= 32 || c == 127) {
			return -EBADMSG;
		}
	}
	if (name.len == 0) {
		return -EBADMSG;
	}
	line_puts(&l, verb);
	line_puts(&l, " ");
	line_add(&l, name);
	return line_end(&l);
}

bool
esmtp_is_utf8(struct str address)
{
	for (size_t i = 0; i < address.len; i++) {
		if ((unsigned char)address.p[i] > 127) {
			return true;
		}
	}
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
esmtp_goahead_is_refusal(struct str t)
{
	if (t.len < 3 || (t.p[0] != '4' && t.p[0] != '5')) {
		return false;
	}
	if (t.p[1] == '.' && is_digit(t.p[2])) {
		return true;
	}
	return is_digit(t.p[1]) && is_digit(t.p[2]) &&
	    (t.len == 3 || t.p[3] == ' ' || t.p[3] == '-');
}
