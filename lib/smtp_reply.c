#include "smtp_reply.h"

#include <errno.h>

void
smtp_reply_init(struct smtp_reply_parser *p,
    const struct smtp_reply_limits *limits, char *buf, size_t buf_size)
{
	*p = (struct smtp_reply_parser){
		.limits = *limits,
		.buf = buf,
		.buf_size = buf_size,
	};
}

static int
put(struct smtp_reply_parser *p, char c)
{
	if (p->buf_len == p->buf_size) {
		return -EMSGSIZE;
	}
	p->buf[p->buf_len++] = c;
	return 0;
}

/* Up to three digits; *s moves behind them. Returns -1 without any. */
static int
take_number(const char **s, const char *end)
{
	const char *start = *s;
	int n = 0;

	while (*s < end && *s - start < 3 && **s >= '0' && **s <= '9') {
		n = 10 * n + (**s - '0');
		(*s)++;
	}
	return *s == start ? -1 : n;
}

/* Does a status code stand at the beginning? RFC 2034 section 4. */
static bool
read_enhanced(const char *s, size_t len, struct smtp_enhanced *out)
{
	const char *end = s + len;
	int part[3];

	for (int i = 0; i < 3; i++) {
		if (i > 0 && (s == end || *s++ != '.')) {
			return false;
		}
		part[i] = take_number(&s, end);
		if (part[i] < 0) {
			return false;
		}
	}
	if (s < end && *s != ' ' && *s != SMTP_REPLY_SEPARATOR) {
		return false;
	}
	*out = (struct smtp_enhanced){ (uint16_t)part[0], (uint16_t)part[1],
		(uint16_t)part[2] };
	return true;
}

static void
finish_reply(struct smtp_reply_parser *p)
{
	struct smtp_reply *r = &p->reply;
	uint16_t class = (uint16_t)(r->code / 100);
	struct smtp_enhanced e;

	r->text = p->buf;
	r->text_len = p->buf_len;
	if (class == 3) {
		class = 0; /* RFC 3463 has no such class */
	}
	r->enhanced = (struct smtp_enhanced){ .class = class };
	/* A code of another class contradicts the reply: not believed. */
	if (class != 0 && read_enhanced(r->text, r->text_len, &e) &&
	    e.class == class) {
		r->enhanced = e;
		r->has_enhanced = true;
	}
	p->is_done = true;
}

/* One of the three digits. */
static int
take_digit(struct smtp_reply_parser *p, char c)
{
	if (c < '0' || c > '9' || (p->line_len == 1 && (c < '2' || c > '5'))) {
		return -EBADMSG;
	}
	p->code = 10 * p->code + (unsigned)(c - '0');
	if (p->line_len < 3) {
		return 0;
	}
	if (p->reply.lines > 0 && p->code != p->reply.code) {
		return -EPROTO;
	}
	p->reply.code = p->code;
	return 0;
}

static int
end_line(struct smtp_reply_parser *p)
{
	p->reply.lines++;
	p->line_len = 0;
	p->code = 0;
	p->saw_cr = false;
	if (p->is_last) {
		finish_reply(p);
		return 1;
	}
	if (p->reply.lines >= p->limits.lines) {
		return -EMSGSIZE; /* at least one more would follow */
	}
	return put(p, SMTP_REPLY_SEPARATOR);
}

/* Returns 1 when the reply is complete, 0, or -errno. */
static int
take_byte(struct smtp_reply_parser *p, char c)
{
	p->line_len++;
	if (p->line_len > p->limits.line_bytes) {
		return -EMSGSIZE;
	}
	if (p->saw_cr) {
		return c == '\n' ? end_line(p) : -EBADMSG;
	}
	if (c == '\n' || c == '\0') {
		return -EBADMSG;
	}
	if (c == '\r') {
		if (p->line_len < 4) {
			return -EBADMSG; /* not even a code */
		}
		if (p->line_len == 4) {
			p->is_last = true; /* "250" alone: RFC 5321 4.2 */
		}
		p->saw_cr = true;
		return 0;
	}
	if (p->line_len <= 3) {
		return take_digit(p, c);
	}
	if (p->line_len == 4) {
		p->is_last = c == ' ';
		return c == ' ' || c == '-' ? 0 : -EBADMSG;
	}
	return put(p, c);
}

int
smtp_reply_feed(
    struct smtp_reply_parser *p, const char *data, size_t len, size_t *used)
{
	int r = p->error;

	*used = 0;
	if (p->is_done && len > 0) {
		p->reply = (struct smtp_reply){ 0 };
		p->buf_len = 0;
		p->is_done = false;
	}
	while (r == 0 && *used < len) {
		r = take_byte(p, data[(*used)++]);
	}
	if (r < 0) {
		p->error = r;
	}
	return r;
}

bool
smtp_reply_is_partial(const struct smtp_reply_parser *p)
{
	return !p->is_done && (p->line_len > 0 || p->reply.lines > 0);
}
