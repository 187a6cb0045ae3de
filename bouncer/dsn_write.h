/*
 * Writes delivery status notifications (RFC 3461 to 3464, 6522, 6533). Pure:
 * no files, no clock.
 */
#ifndef BOUNCER_DSN_WRITE_H
#define BOUNCER_DSN_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "dsn.h"
#include "str.h"
#include "uuid.h"

struct dsn_input {
	struct str hostname;
	struct uuid id;	   /* fresh: Message-ID and boundary */
	struct uuid msgid; /* of the message it is about */
	struct str sender; /* whom it goes to */
	struct str env_id; /* xtext as given, or empty */
	uint8_t ret;	   /* RET=: 0 none, 1 full, 2 headers */
	bool is_utf8;	   /* the message needed SMTPUTF8 */
	bool is_8bit;	   /* its body has bytes above 127 */
	bool is_whole;	   /* content is all of it */
	uint64_t now_us;
	uint64_t arrival_us;
	uint64_t expires_us;
	struct str content; /* of the message: CRLF lines, no stuffed dots */
	struct str items;   /* dsn_item_add */
	size_t size_limit;  /* of content; above it only the header goes back */
};

/* What the notification needs on its way. */
struct dsn_output {
	struct buf content;	/* CRLF lines, no stuffed dots */
	enum dsn_action action; /* of the gravest item */
	char subject[64];
	char message_id[320]; /* with angle brackets */
	bool is_8bit;
	bool is_utf8;
};

/*
 * Fills *out; the caller frees out->content. Returns 0; -ENODATA: there is no
 * item; -EBADMSG: items are malformed.
 */
int dsn_write(const struct dsn_input *in, struct dsn_output *out) MUST_CHECK;

#endif
