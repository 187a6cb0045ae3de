#include "smtp_param.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "smtp_path.h"
#include "utf8.h"

/* One esmtp-param, RFC 5321 section 4.1.2. */
struct param {
	const char *text; /* the whole of it */
	size_t len;
	size_t key_len;
	const char *value; /* NULL without '=' */
	size_t value_len;
};

static const struct {
	const char *name;
	enum smtp_param param;
} names[] = {
	{ "SIZE", SMTP_PARAM_SIZE },
	{ "BODY", SMTP_PARAM_BODY },
	{ "SMTPUTF8", SMTP_PARAM_SMTPUTF8 },
	{ "RET", SMTP_PARAM_RET },
	{ "ENVID", SMTP_PARAM_ENVID },
	{ "AUTH", SMTP_PARAM_AUTH },
	{ "REQUIRETLS", SMTP_PARAM_REQUIRETLS },
	{ "NOTIFY", SMTP_PARAM_NOTIFY },
	{ "ORCPT", SMTP_PARAM_ORCPT },
};

enum {
	MAIL_PARAMS = SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_SMTPUTF8 |
	    SMTP_PARAM_RET | SMTP_PARAM_ENVID | SMTP_PARAM_AUTH |
	    SMTP_PARAM_REQUIRETLS,
	RCPT_PARAMS = SMTP_PARAM_NOTIFY | SMTP_PARAM_ORCPT,
};

static bool
is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Take the next parameter off the text. Returns 1, 0 at the end, -errno. */
static int
take_param(const char **p, const char *end, struct param *out)
{
	struct param q = { 0 };
	const char *s = *p;

	while (s < end && *s == ' ') {
		s++;
	}
	if (s == end) {
		return 0;
	}
	q.text = s;
	while (s < end && *s != ' ') {
		s++;
	}
	*p = s;
	q.len = (size_t)(s - q.text);
	q.value = memchr(q.text, '=', q.len);
	q.key_len = q.len;
	if (q.value != NULL) {
		q.key_len = (size_t)(q.value - q.text);
		q.value++;
		q.value_len = q.len - q.key_len - 1;
	}
	*out = q;
	if (q.key_len == 0 || !is_alnum(q.text[0]) ||
	    (q.value != NULL && q.value_len == 0)) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < q.key_len; i++) {
		if (!is_alnum(q.text[i]) && q.text[i] != '-') {
			return -EBADMSG;
		}
	}
	return 1;
}

/* Which parameter is it? Unknown and twice are different replies. */
static int
identify(const struct param *q, unsigned known, unsigned *given,
    enum smtp_param *param)
{
	for (size_t i = 0; i < array_len(names); i++) {
		if (!is_word(q->text, q->key_len, names[i].name)) {
			continue;
		}
		if ((known & names[i].param) == 0) {
			break;
		}
		if ((*given & names[i].param) != 0) {
			return -EEXIST;
		}
		*given |= names[i].param;
		*param = names[i].param;
		return 0;
	}
	return -EOPNOTSUPP;
}

/* RFC 1870 section 4: at most 20 digits, which may be above 2^64. */
static int
parse_size(const struct param *q, uint64_t *out)
{
	uint64_t size = 0;

	if (q->value_len == 0 || q->value_len > 20) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < q->value_len; i++) {
		uint64_t digit = (uint64_t)(unsigned char)q->value[i] - '0';

		if (digit > 9) {
			return -EBADMSG;
		}
		if (__builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, digit, &size)) {
			size = UINT64_MAX;
		}
	}
	*out = size;
	return 0;
}

static int
parse_body(const struct param *q, enum smtp_body *out)
{
	if (is_word(q->value, q->value_len, "7BIT")) {
		*out = SMTP_BODY_7BIT;
	} else if (is_word(q->value, q->value_len, "8BITMIME")) {
		*out = SMTP_BODY_8BITMIME;
	} else {
		return -EBADMSG;
	}
	return 0;
}

static int
parse_ret(const struct param *q, enum smtp_ret *out)
{
	if (is_word(q->value, q->value_len, "FULL")) {
		*out = SMTP_RET_FULL;
	} else if (is_word(q->value, q->value_len, "HDRS")) {
		*out = SMTP_RET_HDRS;
	} else {
		return -EBADMSG;
	}
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	/* RFC 3461 section 4: capitals only. */
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Take one xtext character. Returns it, or -EBADMSG. */
static int
take_xchar(const char **p, const char *end)
{
	unsigned char c = (unsigned char)*(*p)++;
	int high;
	int low;

	if (c < '!' || c > '~' || c == '=') {
		return -EBADMSG;
	}
	if (c != '+') {
		return c;
	}
	if (end - *p < 2) {
		return -EBADMSG;
	}
	high = hex_digit((*p)[0]);
	low = hex_digit((*p)[1]);
	if (high < 0 || low < 0) {
		return -EBADMSG;
	}
	*p += 2;
	return high << 4 | low;
}

/* Xtext that decodes to printable ASCII, RFC 3461 sections 4.2 and 4.4. */
static bool
is_printable_xtext(const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		int c = take_xchar(&s, end);

		if (c < ' ' || c > '~') {
			return false;
		}
	}
	return len > 0;
}

/* RFC 4954 section 5: a mailbox or <>, as xtext. */
static int
check_auth(const struct param *q, bool utf8)
{
	char text[SMTP_PATH_MAX];
	struct smtp_path path;
	ssize_t n;

	if (is_word(q->value, q->value_len, "<>")) {
		return 0;
	}
	n = smtp_xtext_decode(q->value, q->value_len, text, sizeof(text));
	if (n < 0 ||
	    smtp_mailbox_parse(
		text, (size_t)n, utf8 ? SMTP_PATH_UTF8 : 0, &path) < 0) {
		return -EBADMSG;
	}
	return 0;
}

static int
parse_mail_value(
    const struct param *q, enum smtp_param param, struct smtp_mail_params *m)
{
	bool is_flag =
	    param == SMTP_PARAM_SMTPUTF8 || param == SMTP_PARAM_REQUIRETLS;

	if (is_flag != (q->value == NULL)) {
		return -EBADMSG;
	}
	switch (param) {
	case SMTP_PARAM_SIZE:
		return parse_size(q, &m->size);
	case SMTP_PARAM_BODY:
		return parse_body(q, &m->body);
	case SMTP_PARAM_RET:
		return parse_ret(q, &m->ret);
	case SMTP_PARAM_ENVID:
		m->envid = q->value;
		m->envid_len = q->value_len;
		return q->value_len <= SMTP_ENVID_MAX &&
			is_printable_xtext(q->value, q->value_len)
		    ? 0
		    : -EBADMSG;
	case SMTP_PARAM_AUTH:
		m->auth = q->value;
		m->auth_len = q->value_len;
		return 0; /* checked when SMTPUTF8 is known */
	case SMTP_PARAM_SMTPUTF8:
	case SMTP_PARAM_REQUIRETLS:
	case SMTP_PARAM_NOTIFY:
	case SMTP_PARAM_ORCPT:
		break;
	}
	return 0;
}

static void
note_bad(struct smtp_param_bad *bad, const char *text, size_t len)
{
	if (bad != NULL) {
		bad->text = text;
		bad->len = len;
	}
}

int
smtp_param_parse_mail(const char *s, size_t len, unsigned offered,
    struct smtp_mail_params *out, struct smtp_param_bad *bad)
{
	struct smtp_mail_params m = { 0 };
	const char *p = s;
	struct param auth = { 0 };
	struct param q = { 0 };
	int r;

	while ((r = take_param(&p, s + len, &q)) > 0) {
		enum smtp_param param = SMTP_PARAM_SIZE;

		r = identify(&q, offered & MAIL_PARAMS, &m.given, &param);
		if (r == 0) {
			r = parse_mail_value(&q, param, &m);
		}
		if (r < 0) {
			break;
		}
		if (param == SMTP_PARAM_AUTH) {
			auth = q;
		}
	}
	if (r == 0 && auth.text != NULL) {
		q = auth;
		r = check_auth(&auth, (m.given & SMTP_PARAM_SMTPUTF8) != 0);
	}
	if (r < 0) {
		note_bad(bad, q.text, q.len);
		return r;
	}
	*out = m;
	return 0;
}

/* RFC 3461 section 4.1: NEVER alone, or a list of the others. */
static int
parse_notify(const struct param *q, unsigned *out)
{
	static const struct {
		const char *name;
		enum smtp_notify bit;
	} words[] = {
		{ "NEVER", SMTP_NOTIFY_NEVER },
		{ "SUCCESS", SMTP_NOTIFY_SUCCESS },
		{ "FAILURE", SMTP_NOTIFY_FAILURE },
		{ "DELAY", SMTP_NOTIFY_DELAY },
	};
	const char *p = q->value;
	const char *end = p + q->value_len;
	unsigned notify = 0;

	while (p <= end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma != NULL ? comma : end) - p);
		unsigned bit = 0;

		for (size_t i = 0; i < array_len(words); i++) {
			if (is_word(p, n, words[i].name)) {
				bit = words[i].bit;
			}
		}
		if (bit == 0 || (notify & bit) != 0) {
			return -EBADMSG;
		}
		notify |= bit;
		p += n + 1;
	}
	if ((notify & SMTP_NOTIFY_NEVER) != 0 && notify != SMTP_NOTIFY_NEVER) {
		return -EBADMSG;
	}
	*out = notify;
	return 0;
}

/* RFC 6533 section 3, utf-8-addr-unitext: xtext's bytes, and UTF-8. */
static bool
is_unitext(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t n = utf8_read(s + i, len - i, &code);

		if (n == 0 || code < '!' || code == '=' || code == '+' ||
		    (code > '~' && code < 0xa0)) {
			return false;
		}
		i += n;
	}
	return len > 0;
}

/* addr-type ";" xtext, RFC 3461 section 4.2. */
static int
parse_orcpt(const struct param *q, bool utf8, struct smtp_rcpt_params *out)
{
	const char *semicolon = memchr(q->value, ';', q->value_len);
	const char *addr;
	size_t addr_len;
	size_t type_len;

	if (semicolon == NULL || q->value_len > SMTP_ORCPT_MAX) {
		return -EBADMSG;
	}
	type_len = (size_t)(semicolon - q->value);
	addr = semicolon + 1;
	addr_len = q->value_len - type_len - 1;
	for (size_t i = 0; i < type_len; i++) {
		if (!is_alnum(q->value[i]) && q->value[i] != '-') {
			return -EBADMSG;
		}
	}
	if (type_len == 0 ||
	    (!is_printable_xtext(addr, addr_len) &&
		!(utf8 && is_word(q->value, type_len, "utf-8") &&
		    is_unitext(addr, addr_len)))) {
		return -EBADMSG;
	}
	out->orcpt_type = q->value;
	out->orcpt_type_len = type_len;
	out->orcpt = addr;
	out->orcpt_len = addr_len;
	return 0;
}

int
smtp_param_parse_rcpt(const char *s, size_t len, unsigned offered, bool utf8,
    struct smtp_rcpt_params *out, struct smtp_param_bad *bad)
{
	struct smtp_rcpt_params m = { 0 };
	const char *p = s;
	struct param q = { 0 };
	int r;

	while ((r = take_param(&p, s + len, &q)) > 0) {
		enum smtp_param param = SMTP_PARAM_NOTIFY;

		r = identify(&q, offered & RCPT_PARAMS, &m.given, &param);
		if (r == 0 && q.value == NULL) {
			r = -EBADMSG;
		}
		if (r == 0) {
			r = param == SMTP_PARAM_NOTIFY
			    ? parse_notify(&q, &m.notify)
			    : parse_orcpt(&q, utf8, &m);
		}
		if (r < 0) {
			break;
		}
	}
	if (r < 0) {
		note_bad(bad, q.text, q.len);
		return r;
	}
	*out = m;
	return 0;
}

ssize_t
smtp_xtext_decode(const char *s, size_t len, char *out, size_t out_size)
{
	const char *end = s + len;
	size_t n = 0;

	while (s < end) {
		int c = take_xchar(&s, end);

		if (c < 0) {
			return c;
		}
		if (n == out_size) {
			return -ENOSPC;
		}
		out[n++] = (char)c;
	}
	return (ssize_t)n;
}

ssize_t
smtp_xtext_encode(const char *s, size_t len, char *out, size_t out_size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool is_plain = c >= '!' && c <= '~' && c != '+' && c != '=';
		size_t need = is_plain ? 1 : 3;

		if (out_size - n < need) {
			return -ENOSPC;
		}
		if (is_plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '+';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 0xf];
	}
	return (ssize_t)n;
}
