/*
 * The endpoints: what accountd says of each, and how far each one is.
 */
#ifndef WEBHOOKD_HOOK_H
#define WEBHOOKD_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "cursor.h"
#include "event.h"
#include "ipc.h"
#include "journal_scan.h"
#include "loop.h"
#include "ring.h"
#include "url.h"

enum hook_format { HOOK_CLOUDMAILIN = 0, HOOK_MANDRILL = 1 };

/* What an endpoint waits for. */
enum hook_state {
	HOOK_NEW,     /* where its events begin is not known yet */
	HOOK_READY,   /* for events, or for company of those it has */
	HOOK_LOOKUP,  /* its name is being resolved */
	HOOK_POSTING, /* a request is under way */
	HOOK_RETRY,   /* for the time of the next attempt */
};

struct post;

struct hook {
	uint32_t id;
	uint32_t account;
	uint32_t subaccount; /* 0: all */
	char *name;	     /* of the account */
	char *url_text;	     /* as registered */
	struct url url;
	const char *url_error; /* NULL: url is good */
	struct buf secret, old_secret;
	uint64_t kinds;
	uint8_t format;
	bool is_disabled;
	bool is_given_up; /* we disabled it; accountd has not said so yet */
	bool is_seen;	  /* told of since accountd came up */
	uint64_t created_us;
	struct hook *next_of_account;

	/* What waits for it: the ring, and all behind place. */
	enum hook_state state;
	struct ring ring;
	struct journal_place place;
	bool is_live;	   /* place is the tail's: new events go to the ring */
	uint64_t begin_us; /* events before are not sent */
	uint64_t asked_us; /* when events were asked for again; 0: never */
	bool must_locate;  /* HOOK_NEW when the request under way is over */
	uint32_t begin_file;   /* HOOK_NEW: looked at next; 0: the newest */
	uint64_t ripe_mono_us; /* a batch may go from then on */
	struct loop_timer *timer;
	struct loop_defer step;

	/* Dead letters; the first range may be being sent again now. */
	struct dead_list dead;
	uint64_t redo_until; /* its last lsn; 0: the usual events are sent */
	bool is_redo_read;   /* all of it was read */
	struct journal_place resume; /* where the usual events go on */

	/* The batch under way. */
	struct post *post;
	size_t batch_items; /* of the ring */
	size_t batch_events;
	uint64_t started_us; /* monotonic */

	/* The endpoint's health. */
	unsigned failures;   /* in a row */
	uint64_t failing_us; /* since; 0: it works */
	size_t batch_max;    /* shrinks when it cannot take so much */
	bool is_burying;     /* events too old are being set aside */
	uint64_t retry_us;   /* waiting time before the next attempt */
	uint64_t sent, posts, failed, buried, gaps;
	uint64_t last_ok_us;
	char last_error[256];
	char disabled_for[256]; /* is_given_up: why */

	/* Its addresses, for libcurl. */
	char *resolve;		   /* "host:port:address,..." */
	uint64_t resolve_until_us; /* monotonic */
};

void hooks_start(void);
void hooks_stop(void);

/*
 * Takes what accountd says. Returns the endpoint; NULL when it was deleted
 * (then it is freed) or was not there. *is_new is set for one that was not
 * known before. tail: as for hook_place.
 */
struct hook *hooks_update(
    const struct ipc_hook *m, struct journal_place tail, bool *is_new);

/* accountd says all anew; then those it does not know are deleted. */
void hooks_begin(void);
void hooks_end(void);

struct hook *hooks_find(uint32_t id);
size_t hooks_count(void);
/* All of them, in no order. */
void hooks_each(void (*fn)(struct hook *h, void *arg), void *arg);
/* The endpoints of an account: follow next_of_account. */
struct hook *hooks_of_account(uint32_t account);

/* Whether the endpoint is told of such an event. */
bool hook_wants(
    const struct hook *h, unsigned type, const struct event_common *c);

/* Everything before this place is done for it, or a dead letter. tail: where
 * all live ones have read to. */
struct journal_place hook_place(
    const struct hook *h, struct journal_place tail);

/* Forgets what waits and reads on from the place. Dead letters that were being
 * sent again are begun again. */
void hook_rewind(struct hook *h, struct journal_place place);

/* Called before an endpoint is freed: stops what is under way. */
extern void (*hook_on_delete)(struct hook *h);

#endif
