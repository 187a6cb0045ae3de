/*
 * How each field of event.def is called and written in JSON. The rules are
 * few: a prefix makes a nested object, "is_" means true or false, "_us" is
 * a time; the accepted event has names of its own for some.
 */
#ifndef LIB_EVENT_PLAN_H
#define LIB_EVENT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"

/* Room for the name of a member or a nested object. */
#define EVENT_NAME_SIZE 40

/* How a field is written. */
enum event_how {
	EVENT_HOW_SKIP,
	EVENT_HOW_NUM,
	EVENT_HOW_STR,
	EVENT_HOW_BOOL,
	EVENT_HOW_TIME,
	EVENT_HOW_UUID,
	EVENT_HOW_LIST,	    /* words parted by commas or blanks */
	EVENT_HOW_TAGS,	    /* parted by commas */
	EVENT_HOW_HEX,	    /* a number that means nothing as one */
	EVENT_HOW_METADATA, /* text of a JSON object */
	EVENT_HOW_ACCOUNT,  /* NAME or NAME/SUB */
	EVENT_HOW_CLASS,
	EVENT_HOW_RET,
	EVENT_HOW_FLAGS,
	EVENT_HOW_RCPTS,
};

/* A field with all that can be known about it before there is an event. */
struct event_plan {
	enum event_how how;
	enum rec_type type;
	uint32_t offset;
	char object[EVENT_NAME_SIZE];
	char name[EVENT_NAME_SIZE];
};

/* The plan of a type's fields in their order; the last has REC_T_END. */
const struct event_plan *event_plan(const struct event_desc *d);

/* The plan of one field by its name in event.def; NULL when there is none. */
const struct event_plan *event_plan_field(
    const struct event_desc *d, const char *field);

/* A field's value: 0 or empty when it is of another kind. */
uint64_t event_plan_num(const struct event_plan *p, const void *event);
struct str event_plan_str(const struct event_plan *p, const void *event);

#endif
