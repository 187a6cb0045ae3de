/*
 * The events of event.def: structs, stored form, names. The journal is a plog
 * (plog.h) whose records have the event's number as type.
 */
#ifndef LIB_EVENT_H
#define LIB_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "log.h"
#include "rec.h"

/* clang-format off */
enum event_type {
#define EVENT_BEGIN(name, number, level, scope, text) EVENT_##name = (number),
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
#include "rec_undef.h"
#undef EVENT_BEGIN
#undef EVENT_END
};

#define EVENT_BEGIN(name, number, level, scope, text) struct event_##name {
#define EVENT_END(name)                                                        \
	}                                                                      \
	;
#include "rec_struct.h"
#include "event.def"
#include "rec_undef.h"
#undef EVENT_BEGIN
#undef EVENT_END
/* clang-format on */

/* What every event for tenants begins with (EVENT_COMMON). */
struct event_common {
	uint64_t time_us;
	struct uuid msgid;
	uint64_t accept_lsn;
	uint32_t account;
	uint32_t subaccount;
	uint16_t rcpt;
};

enum event_scope { EVENT_SCOPE_WEBHOOK, EVENT_SCOPE_INTERNAL };

struct event_desc {
	enum event_type type;
	const char *name;
	const char *text; /* a sentence for the manual */
	enum log_level level;
	enum event_scope scope;
	const struct rec_field *fields;
	size_t size;	 /* of the struct */
	bool has_common; /* begins with EVENT_COMMON */
};

/* A place to decode any event into. */
#define EVENT_STRUCT_MAX 4096

/* The row of an event; NULL when there is none. */
const struct event_desc *event_desc(unsigned type);
const struct event_desc *event_desc_by_name(struct str name);
/* All rows, in their numbers' order; *n is their count. */
const struct event_desc *const *event_descs(size_t *n);

/* Appends the stored form. Returns 0 or -EMSGSIZE. */
int event_encode(
    struct buf *out, enum event_type type, const void *event) MUST_CHECK;

/*
 * Fills the struct of the type; strings point into p. Fields that an older
 * writer did not know are 0. Returns 0; -ENOENT: no such event; -EBADMSG.
 */
int event_decode(
    unsigned type, const void *p, size_t len, void *event) MUST_CHECK;

/*
 * A recipient of an accepted event's rcpts, encoded as: u16 length, address,
 * u8 notify (RCPT_NOTIFY_*), u16 length, orcpt as given ("rfc822;a@b").
 */
struct event_rcpt {
	struct str address;
	struct str orcpt;
	uint8_t notify;
};
void event_rcpt_add(struct buf *rcpts, const struct event_rcpt *r);
/* Takes the first one off *rcpts. False at the end or when malformed. */
bool event_rcpt_next(struct str *rcpts, struct event_rcpt *out);

#define RCPT_NOTIFY_NEVER 1u
#define RCPT_NOTIFY_SUCCESS 2u
#define RCPT_NOTIFY_FAILURE 4u
#define RCPT_NOTIFY_DELAY 8u
/* Also in notify, in a segment: suppressed when the message was accepted.
 * qmgr writes the recipient's blocked event at intake and never sends. It is
 * in the record, so that a crash cannot part it from the message. */
#define RCPT_BLOCKED 16u
/* Why: a suppression_reason above it; 0 when that is not known. */
#define RCPT_BLOCKED_FOR(reason) ((uint8_t)(RCPT_BLOCKED | (reason) << 5))
#define RCPT_BLOCKED_REASON(notify) ((unsigned)(notify) >> 5)

/* flags of an accepted event */
#define MESSAGE_NODOTS 1u	 /* no line of the content begins with a dot */
#define MESSAGE_8BIT 2u		 /* the body has bytes above 127 */
#define MESSAGE_UTF8 4u		 /* needs SMTPUTF8 (RFC 6531) */
#define MESSAGE_REQUIRETLS 8u	 /* RFC 8689 */
#define MESSAGE_TEST 16u	 /* test key: never delivered */
#define MESSAGE_OWN_DSN 32u	 /* written by bouncer */
#define MESSAGE_PLAIN_SENDER 64u /* MAIL FROM as given, no return path */
#define MESSAGE_HELD 128u	 /* held at acceptance (paused account) */

enum mail_class { CLASS_PRIORITY, CLASS_STANDARD, CLASS_DIGEST };
const char *mail_class_name(enum mail_class c);
/* -EINVAL when there is no such class. */
int mail_class_parse(struct str s, enum mail_class *out) MUST_CHECK;

#endif
