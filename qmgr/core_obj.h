/*
 * What the core knows about mail and its destinations. Objects refer to each
 * other by their numbers in slabs.
 */
#ifndef QMGR_CORE_OBJ_H
#define QMGR_CORE_OBJ_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "core_name.h"
#include "core_slab.h"
#include "core_view.h"
#include "uuid.h"

#define CLASSES 4u /* as enum core_class, then: */
#define CLASS_RETRY 3u

struct msg {
	struct uuid id;
	uint32_t chain;
	uint32_t rcpts; /* one of the circle; without any: next that is done */
	uint32_t flow;
	uint32_t segment : 24;
	uint32_t cost : 8; /* as cost_encode makes it */
	uint32_t rec_off;
	uint32_t content_off;
	uint32_t content_len;
	uint32_t content_crc;
	uint32_t lsn_low;
	uint16_t lsn_high;
	uint16_t live; /* recipients in the circle */
	uint32_t expiry_s;
	uint32_t rec_len : 24;
	uint32_t class : 2;
	uint32_t flags : 3; /* CORE_SINGLE ... */
	uint32_t is_used : 1;
	uint32_t is_done : 1;
};

#define RCPT_END_MASK 3u /* why it ended: enum end_reason */
#define RCPT_TO_HOLD 4u	 /* when its job is over */
#define RCPT_TO_DELETE 8u
#define RCPT_UNREADY 64u   /* HELD until its message has an LSN; at: due, s */
#define RCPT_DNS_TOLD 128u /* core_domain_untold gave it */
#define RCPT_FAR 16u	   /* waits in the far list */
#define RCPT_OVERDUE 32u   /* waits in the overdue list */

enum end_reason { END_EXPIRED, END_DNS, END_DELETED };

struct rcpt {
	uint32_t msg;
	uint32_t sibling; /* circle of the message's recipients */
	struct link link; /* of the list that its state names */
	uint32_t at;	  /* WAITING: due, s; READY: fq; INFLIGHT: job */
	uint32_t domain;
	uint16_t ordinal;
	uint16_t attempts;
	uint8_t state; /* enum core_rcpt_state */
	uint8_t flags;
	uint16_t spare;
};

_Static_assert(sizeof(struct msg) == 64, "a message has 64 bytes");
_Static_assert(sizeof(struct rcpt) == 32, "a recipient has 32 bytes");

struct segment {
	uint64_t segid;
	uint32_t chain;
	uint32_t live;
	uint64_t bytes;
	struct link empty;
	bool is_listed;
};

struct name {
	uint32_t chain;
	uint32_t len;
	char *p; /* NULL: the place is free */
};

struct domain {
	struct name name;
	uint32_t site;
	uint32_t waiting; /* recipients */
	uint32_t untold;  /* the first that core_domain_untold has not seen */
	uint32_t nwaiting;
	uint32_t refs; /* recipients that are not final */
	struct link ask;
	struct link moving;
	uint64_t until_us;
	uint32_t timer;
	uint8_t state; /* enum core_domain_state; ASKING is is_asking */
	uint8_t fails;
	bool is_asking; /* CORE_RESOLVE is out */
	bool is_to_ask;
	bool is_moving;
};

struct provider {
	struct name name;
	uint32_t gate;
	uint32_t refs; /* sites */
};

struct site {
	struct name name;
	uint32_t gate;
	uint32_t provider;
	uint32_t refs; /* domains */
	uint32_t rings;
	uint64_t used_us;
};

#endif
