#include "event_plan.h"

#include <string.h>

#define PLAN_FIELDS_MAX 96
#define PLAN_TYPES 128

static const struct {
	const char *field;
	enum event_how how;
	const char *object;
	const char *name;
} special[] = {
	{ "account_name", EVENT_HOW_ACCOUNT, "", "account" },
	{ "key", EVENT_HOW_NUM, "", "key_id" },
	{ "class", EVENT_HOW_CLASS, "", "class" },
	{ "flags", EVENT_HOW_FLAGS, "", "test" },
	{ "sender", EVENT_HOW_STR, "", "from" },
	{ "message_id", EVENT_HOW_STR, "", "header_message_id" },
	{ "rcpts", EVENT_HOW_RCPTS, "", "recipients" },
	{ "ret", EVENT_HOW_RET, "", "ret" },
	{ "tags", EVENT_HOW_TAGS, "", "tags" },
	{ "metadata", EVENT_HOW_METADATA, "", "metadata" },
	{ "session_id", EVENT_HOW_STR, "submit", "session_id" },
	{ "big_file", EVENT_HOW_SKIP, "", "" },
	{ "big_len", EVENT_HOW_SKIP, "", "" },
	{ "big_crc", EVENT_HOW_SKIP, "", "" },
	{ "inbound", EVENT_HOW_SKIP, "", "" },
	{ "orig_msgid", EVENT_HOW_SKIP, "", "" },
	{ "orig_rcpt", EVENT_HOW_SKIP, "", "" },
	{ "orig_accept_lsn", EVENT_HOW_SKIP, "", "" },
};

static bool
is_common(const char *field)
{
	static const char *const names[] = { "time_us", "msgid", "accept_lsn",
		"account", "subaccount", "rcpt", "rcpt_to" };

	for (size_t i = 0; i < array_len(names); i++) {
		if (strcmp(field, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void
copy_name(char *dst, const char *src, size_t len)
{
	str_copy(dst, EVENT_NAME_SIZE, (struct str){ src, len });
}

/* The prefix rule of event.def. */
static const char *
split_object(const char *field, char *object)
{
	static const char *const objects[] = { "smtp", "tls", "submit",
		"delays", "dsn" };

	for (size_t i = 0; i < array_len(objects); i++) {
		size_t n = strlen(objects[i]);

		if (strncmp(field, objects[i], n) == 0 && field[n] == '_') {
			copy_name(object, objects[i], n);
			return field + n + 1;
		}
	}
	object[0] = '\0';
	return field;
}

/* The name of a field by rule: is_ and _us tell of its type, not its subject.
 */
static enum event_how
plan_by_rule(const struct rec_field *f, char *object, char *name)
{
	const char *rest = split_object(f->name, object);
	size_t n = strlen(rest);

	if (strncmp(rest, "is_", 3) == 0) {
		copy_name(name, rest + 3, n - 3);
		return EVENT_HOW_BOOL;
	}
	if (n > 3 && strcmp(rest + n - 3, "_us") == 0) {
		copy_name(name, rest, n - 3);
		return EVENT_HOW_TIME;
	}
	copy_name(name, rest, n);
	if (strcmp(f->name, "class") == 0) {
		copy_name(name, "class_bounce", 12);
	}
	if (strcmp(f->name, "esmtp") == 0) {
		return EVENT_HOW_LIST;
	}
	if (strcmp(f->name, "segid") == 0) {
		return EVENT_HOW_HEX;
	}
	if (f->type == REC_T_UUID) {
		return EVENT_HOW_UUID;
	}
	if (f->type == REC_T_U8 && strcmp(object, "tls") == 0) {
		return EVENT_HOW_BOOL;
	}
	if (f->type == REC_T_STR) {
		return EVENT_HOW_STR;
	}
	return f->type == REC_T_BLOB || f->type == REC_T_SECRET ? EVENT_HOW_SKIP
								: EVENT_HOW_NUM;
}

static enum event_how
plan_field(const struct event_desc *d, const struct rec_field *f, char *object,
    char *name)
{
	if (d->has_common && is_common(f->name)) {
		return EVENT_HOW_SKIP;
	}
	/* What was refused is called as what was accepted. */
	bool is_special = d->type == EVENT_accepted || d->type == EVENT_refused;

	for (size_t i = 0; is_special && i < array_len(special); i++) {
		if (strcmp(f->name, special[i].field) == 0) {
			copy_name(object, special[i].object,
			    strlen(special[i].object));
			copy_name(
			    name, special[i].name, strlen(special[i].name));
			return special[i].how;
		}
	}
	return plan_by_rule(f, object, name);
}

/* Made once for each type: names are worked out for no event. */
const struct event_plan *
event_plan(const struct event_desc *d)
{
	static struct event_plan *plans[PLAN_TYPES];
	struct event_plan *p;
	size_t n = 0;

	bug_on((size_t)d->type >= PLAN_TYPES);
	if (plans[d->type] != NULL) {
		return plans[d->type];
	}
	p = mem_alloc(PLAN_FIELDS_MAX * sizeof(*p));
	for (const struct rec_field *f = d->fields; f->type != REC_T_END; f++) {
		bug_on(n + 1 >= PLAN_FIELDS_MAX);
		p[n].how = plan_field(d, f, p[n].object, p[n].name);
		p[n].type = f->type;
		p[n].offset = f->offset;
		n++;
	}
	p[n].type = REC_T_END;
	plans[d->type] = p;
	return p;
}

uint64_t
event_plan_num(const struct event_plan *p, const void *event)
{
	const uint8_t *at = (const uint8_t *)event + p->offset;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (p->type) {
	case REC_T_U8:
		return *at;
	case REC_T_U16:
		memcpy(&v16, at, sizeof(v16));
		return v16;
	case REC_T_U32:
		memcpy(&v32, at, sizeof(v32));
		return v32;
	case REC_T_U64:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	case REC_T_END:
	case REC_T_UUID:
	case REC_T_STR:
	case REC_T_SECRET:
	case REC_T_BLOB:
		break;
	}
	return 0;
}

struct str
event_plan_str(const struct event_plan *p, const void *event)
{
	struct str s = { 0 };

	if (p->type == REC_T_STR || p->type == REC_T_BLOB) {
		memcpy(&s, (const uint8_t *)event + p->offset, sizeof(s));
	}
	return s;
}

const struct event_plan *
event_plan_field(const struct event_desc *d, const char *field)
{
	const struct event_plan *p = event_plan(d);

	for (const struct rec_field *f = d->fields; f->type != REC_T_END; f++) {
		if (strcmp(f->name, field) == 0) {
			return p;
		}
		p++;
	}
	return NULL;
}
