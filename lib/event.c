#include "event.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* clang-format off */
#define EVENT_BEGIN(name, number, level, scope, text)                          \
	static const struct rec_field *fields_##name(void)                     \
	{                                                                      \
		typedef struct event_##name self __attribute__((unused));      \
		static const struct rec_field f[] = {
#define EVENT_END(name)                                                        \
			{ .type = REC_T_END }                                  \
		};                                                             \
		return f;                                                      \
	}
#include "rec_table.h"
#include "event.def"
#include "rec_undef.h"
#undef EVENT_BEGIN
#undef EVENT_END

#define EVENT_BEGIN(name, number, level, scope, text)                          \
	static struct event_desc desc_##name = { EVENT_##name, #name, text,    \
		LOG_LEVEL_##level, EVENT_SCOPE_##scope, NULL,                  \
		sizeof(struct event_##name), false };
#define EVENT_END(name)
#define REC_NONE
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_SECRET(f, max)
#define REC_BLOB(f, max)
#include "event.def"
#undef EVENT_BEGIN

static const struct event_desc *const all[] = {
#define EVENT_BEGIN(name, number, level, scope, text) &desc_##name,
#include "event.def"
#undef EVENT_BEGIN
};

/* Before main, so that lookups need no check. */
static void __attribute__((constructor))
fill_descs(void)
{
#define EVENT_BEGIN(name, number, level, scope, text)                          \
	desc_##name.fields = fields_##name();                                  \
	bug_on(sizeof(struct event_##name) > EVENT_STRUCT_MAX);
#include "event.def"
#undef EVENT_BEGIN
#undef EVENT_END
#include "rec_undef.h"
	for (size_t i = 0; i < array_len(all); i++) {
		struct event_desc *d = (struct event_desc *)(uintptr_t)all[i];

		d->has_common = strcmp(d->fields[0].name, "time_us") == 0 &&
		    strcmp(d->fields[1].name, "msgid") == 0;
	}
}
/* clang-format on */

const struct event_desc *
event_desc(unsigned type)
{
	for (size_t i = 0; i < array_len(all); i++) {
		if ((unsigned)all[i]->type == type) {
			return all[i];
		}
	}
	return NULL;
}

const struct event_desc *
event_desc_by_name(struct str name)
{
	for (size_t i = 0; i < array_len(all); i++) {
		if (str_is(name, all[i]->name)) {
			return all[i];
		}
	}
	return NULL;
}

const struct event_desc *const *
event_descs(size_t *n)
{
	*n = array_len(all);
	return all;
}

int
event_encode(struct buf *out, enum event_type type, const void *event)
{
	const struct event_desc *d = event_desc(type);

	bug_on(d == NULL);
	return rec_encode(out, d->fields, event);
}

int
event_decode(unsigned type, const void *p, size_t len, void *event)
{
	const struct event_desc *d = event_desc(type);

	if (d == NULL) {
		return -ENOENT;
	}
	return rec_decode(d->fields, REC_GROWABLE, p, len, event, d->size);
}

void
event_rcpt_add(struct buf *rcpts, const struct event_rcpt *r)
{
	buf_u16(rcpts, (uint16_t)r->address.len);
	buf_add(rcpts, r->address.p, r->address.len);
	buf_u8(rcpts, r->notify);
	buf_u16(rcpts, (uint16_t)r->orcpt.len);
	buf_add(rcpts, r->orcpt.p, r->orcpt.len);
}

static bool
take_text(struct str *from, struct str *out)
{
	uint16_t len;

	if (from->len < sizeof(len)) {
		return false;
	}
	memcpy(&len, from->p, sizeof(len));
	if (from->len - sizeof(len) < len) {
		return false;
	}
	*out = (struct str){ from->p + sizeof(len), len };
	from->p += sizeof(len) + len;
	from->len -= sizeof(len) + len;
	return true;
}

bool
event_rcpt_next(struct str *rcpts, struct event_rcpt *out)
{
	struct str rest = *rcpts;
	struct event_rcpt r;

	if (!take_text(&rest, &r.address) || rest.len == 0) {
		return false;
	}
	r.notify = (uint8_t)rest.p[0];
	rest.p++;
	rest.len--;
	if (!take_text(&rest, &r.orcpt)) {
		return false;
	}
	*rcpts = rest;
	*out = r;
	return true;
}

static const char *const class_names[] = { "priority", "standard", "digest" };

const char *
mail_class_name(enum mail_class c)
{
	bug_on((size_t)c >= array_len(class_names));
	return class_names[c];
}

int
mail_class_parse(struct str s, enum mail_class *out)
{
	for (size_t i = 0; i < array_len(class_names); i++) {
		if (str_eq_case(s, str_of(class_names[i]))) {
			*out = (enum mail_class)i;
			return 0;
		}
	}
	return -EINVAL;
}
