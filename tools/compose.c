#include "compose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "header.h"

#define MAILBOXES_MAX 10000

/* ---- addresses ------------------------------------------------------------
 */

void
compose_list_add(struct compose_list *l, struct str address, const char *host)
{
	struct buf whole = { 0 };

	buf_add(&whole, address.p, address.len);
	if (memchr(address.p, '@', address.len) == NULL) {
		buf_printf(&whole, "@%s", host);
	}
	l->all = mem_resize(l->all, (l->n + 1) * sizeof(*l->all));
	l->all[l->n++] = (struct str){ (const char *)whole.p, whole.len };
}

void
compose_list_fini(struct compose_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((void *)(uintptr_t)l->all[i].p);
	}
	free(l->all);
	*l = (struct compose_list){ NULL, 0 };
}

/* A local name by itself, or in front of a comment: "root (Cron Daemon)". */
static size_t
bare_name_len(struct str element)
{
	size_t n = 0;

	while (n < element.len && strchr(" \t\r\n(", element.p[n]) == NULL) {
		if (strchr("@<>:;\",\\[])", element.p[n]) != NULL) {
			return 0;
		}
		n++;
	}
	for (size_t i = n; i < element.len; i++) {
		if (element.p[i] == '(') {
			return n;
		}
		if (strchr(" \t\r\n", element.p[i]) == NULL) {
			return 0; /* a display name */
		}
	}
	return n;
}

/* Adds the host to bare names, as local programs write them. */
static void
qualify(struct str value, const char *host, struct buf *out)
{
	struct str rest = value, element;
	bool is_first = true;

	while (str_split(&rest, ',', &element)) {
		struct str trimmed = str_trim(element);
		size_t n = bare_name_len(trimmed);

		buf_puts(out, is_first ? " " : ",\r\n\t");
		buf_add(out, trimmed.p, n);
		if (n > 0) {
			buf_printf(out, "@%s", host);
		}
		buf_add(out, trimmed.p + n, trimmed.len - n);
		is_first = false;
	}
}

static bool
has_bare_name(struct str value)
{
	struct str rest = value, element;

	if (memchr(value.p, '"', value.len) != NULL) {
		return false; /* the comma may be part of a name */
	}
	while (str_split(&rest, ',', &element)) {
		if (bare_name_len(str_trim(element)) > 0) {
			return true;
		}
	}
	return false;
}

static int
add_mailboxes(struct compose_list *l, struct str value, const char *host)
{
	struct header_mailbox *all = mem_alloc(MAILBOXES_MAX * sizeof(*all));
	size_t n = 0;
	int r = header_mailboxes(value.p, value.len, all, MAILBOXES_MAX, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct buf whole = { 0 };

		buf_add(&whole, all[i].local, all[i].local_len);
		buf_printf(&whole, "@%s", all[i].domain);
		compose_list_add(l, buf_str(&whole), host);
		buf_fini(&whole);
	}
	free(all);
	return r;
}

/* ---- reading --------------------------------------------------------------
 */

int
compose_read(FILE *in, bool ends_at_dot, size_t limit, struct buf *out)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	bool is_first = true;
	int r = 0;

	while (r == 0 && (n = getline(&line, &size, in)) >= 0) {
		if (n > 0 && line[n - 1] == '\n') {
			n--;
		}
		if (n > 0 && line[n - 1] == '\r') {
			n--;
		}
		if (ends_at_dot && n == 1 && line[0] == '.') {
			break;
		}
		if (!is_first || strncmp(line, "From ", 5) != 0) {
			buf_add(out, line, (size_t)n);
			buf_puts(out, "\r\n");
		}
		is_first = false;
		if (out->len > limit) {
			r = -EMSGSIZE;
		}
	}
	if (r == 0 && ferror(in)) {
		r = -EIO;
	}
	free(line);
	return r;
}

/* ---- the header -----------------------------------------------------------
 */

struct compose {
	const char *host;
	struct compose_list *rcpts; /* NULL: not wanted */
	bool is_resent;
	bool has_from;
	struct buf *out;
};

static bool
is_one_of(const struct header_field *f, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (header_is(f, names[i])) {
			return true;
		}
	}
	return false;
}

static bool
is_address_field(const struct header_field *f)
{
	static const char *const names[] = { "From", "Sender", "Reply-To", "To",
		"Cc", "Bcc" };

	return is_one_of(f, names, array_len(names));
}

static bool
names_recipients(const struct compose *c, const struct header_field *f)
{
	static const char *const first[] = { "To", "Cc", "Bcc" };
	static const char *const again[] = { "Resent-To", "Resent-Cc",
		"Resent-Bcc" };

	return c->rcpts != NULL &&
	    is_one_of(f, c->is_resent ? again : first, array_len(first));
}

static int
take_field(struct compose *c, const struct header_field *f)
{
	static const char *const dropped[] = { "Bcc", "Resent-Bcc" };
	struct str value = { f->value, f->value_len };
	struct buf qualified = { 0 };
	int r = 0;

	if (is_address_field(f) && has_bare_name(value)) {
		qualify(value, c->host, &qualified);
		value = buf_str(&qualified);
	}
	if (names_recipients(c, f)) {
		r = add_mailboxes(c->rcpts, value, c->host);
	}
	c->has_from = c->has_from || header_is(f, "From");
	if (r == 0 && !is_one_of(f, dropped, array_len(dropped))) {
		buf_add(c->out, f->name, f->name_len);
		buf_puts(c->out, ":");
		buf_add(c->out, value.p, value.len);
		buf_puts(c->out, "\r\n");
	}
	buf_fini(&qualified);
	return r;
}

/* Begins the body where the first line is that is no field. */
static size_t
header_len(struct str message)
{
	size_t len = header_block_len(message.p, message.len);
	struct header_iter it;
	struct header_field f;
	int r;

	header_iter_init(&it, message.p, len);
	while ((r = header_next(&it, &f)) == 1) {
		continue;
	}
	return r == 0 ? len : (size_t)(f.raw - message.p);
}

int
compose_message(struct str message, const char *host, const char *from,
    struct compose_list *rcpts, struct buf *out, struct str *bad)
{
	struct compose c = { .host = host, .rcpts = rcpts, .out = out };
	size_t len = header_len(message);
	struct str body = { message.p + len, message.len - len };
	struct header_iter it;
	struct header_field f;
	int r = 0;

	c.is_resent = header_count(message.p, len, "Resent-To") +
		header_count(message.p, len, "Resent-Cc") +
		header_count(message.p, len, "Resent-Bcc") >
	    0;
	header_iter_init(&it, message.p, len);
	while (r == 0 && header_next(&it, &f) == 1) {
		r = take_field(&c, &f);
		*bad = (struct str){ f.name, f.name_len };
	}
	if (r < 0) {
		return -EBADMSG;
	}
	if (!c.has_from) {
		buf_printf(out, "From: %s\r\n", from);
	}
	if (!str_starts(body, "\r\n")) {
		buf_puts(out, "\r\n");
	}
	buf_add(out, body.p, body.len);
	return 0;
}
