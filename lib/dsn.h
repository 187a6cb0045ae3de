/*
 * What a delivery status notification says about each recipient: qmgr tells
 * bouncer (ipc.def: dsn_job), and keeps it in the journal until it is done.
 */
#ifndef LIB_DSN_H
#define LIB_DSN_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* RFC 3464 section 2.3.3 */
enum dsn_action { DSN_FAILED = 0, DSN_DELAYED = 1, DSN_RELAYED = 2 };

struct dsn_item {
	uint16_t rcpt;	       /* ordinal in the envelope */
	uint8_t action;	       /* enum dsn_action */
	struct str address;    /* as in the envelope */
	struct str orcpt;      /* ORCPT= as given, or empty */
	struct str status;     /* "5.1.1" */
	struct str reply;      /* the server's whole reply, or our own words */
	struct str remote_mta; /* who replied; empty: nobody */
	uint64_t last_attempt_us; /* wall clock; 0: none */
};

/* Longest encoded item, bytes; reply is cut to fit. */
#define DSN_ITEM_MAX 8192

void dsn_item_add(struct buf *out, const struct dsn_item *item);
/* Takes the first one off *items. False at the end or when malformed. */
bool dsn_item_next(struct str *items, struct dsn_item *out);

#endif
