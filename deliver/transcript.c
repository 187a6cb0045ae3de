#include "transcript.h"

#include <stdarg.h>
#include <stdio.h>

#define FULL_MARK "- the rest is left out\n"
#define ROOM (TRANSCRIPT_MAX - sizeof(FULL_MARK))
/* Memory that an idle connection keeps, bytes. */
#define KEEP 1024

/* Whether n more bytes may be added. */
static bool
has_room(struct transcript *t, size_t n)
{
	if (!t->is_full && t->text.len + n > ROOM) {
		t->is_full = true;
		buf_puts(&t->text, FULL_MARK);
	}
	return !t->is_full;
}

void
transcript_sent(struct transcript *t, struct str line)
{
	if (has_room(t, line.len + 4)) {
		buf_add(&t->text, "C: ", 3);
		buf_add(&t->text, line.p, line.len);
		buf_add(&t->text, "\n", 1);
	}
}

void
transcript_received(struct transcript *t, const struct smtp_reply *r)
{
	struct str rest = { r->text, r->text_len };
	struct str line = { 0 };
	char head[16];

	do {
		bool is_more;
		int n;

		if (!str_split(&rest, SMTP_REPLY_SEPARATOR, &line)) {
			line = (struct str){ 0 };
		}
		is_more = rest.len > 0;
		n = snprintf(head, sizeof(head), "S: %u%c", r->code,
		    is_more ? '-' : ' ');
		if (!has_room(t, (size_t)n + line.len + 1)) {
			return;
		}
		buf_add(&t->text, head, (size_t)n);
		buf_add(&t->text, line.p, line.len);
		buf_add(&t->text, "\n", 1);
	} while (rest.len > 0);
}

void
transcript_note(struct transcript *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text)) {
		n = (int)sizeof(text) - 1;
	}
	if (has_room(t, (size_t)n + 3)) {
		buf_add(&t->text, "- ", 2);
		buf_add(&t->text, text, (size_t)n);
		buf_add(&t->text, "\n", 1);
	}
}

void
transcript_clear(struct transcript *t)
{
	buf_clear(&t->text, KEEP);
	t->is_full = false;
}

void
transcript_fini(struct transcript *t)
{
	buf_fini(&t->text);
}
