/*
 * Which events an administrator asked for.
 */
#ifndef TOOLS_PBLOG_MATCH_H
#define TOOLS_PBLOG_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event_json.h"
#include "pblog_read.h"
#include "uuid.h"

/*
 * The conditions, all of which must hold; NULL or 0: any. Addresses with an
 * @ inside must be equal, other texts be contained; case does not matter.
 */
struct pblog_filter {
	struct uuid id;
	bool has_id;
	uint64_t since_us, until_us; /* until 0: no end */
	uint64_t kinds[2]; /* bit per event number; both 0: tenants' events */
	/* of the message */
	const char *from;
	const char *subject;
	const char *account; /* NAME or NAME/SUB */
	uint32_t key;
	const char *tag;
	const char *client_ip;
	const char *helo;
	/* of the recipient and the attempt */
	const char *to;
	const char *domain;
	const char *reply;
	const char *source_ip;
	const char *dest_ip;
};

struct pblog_match;

struct pblog_match *pblog_match_new(
    const struct pblog_filter *f, struct pblog_read *r);
void pblog_match_free(struct pblog_match **m);

/* The conditions, with the kinds that are meant when none was named. */
const struct pblog_filter *pblog_match_filter(const struct pblog_match *m);

/* False: none of these records, with their headers and whatever they are
 * about, is asked for. Much faster than to ask for each. */
bool pblog_match_batch(const struct pblog_match *m, struct str records);

/*
 * Whether the record is asked for; then *v shows it, its event decoded into
 * a place of m, until the next call.
 */
bool pblog_match(struct pblog_match *m, const struct pblog_record *rec,
    struct event_view *v) MUST_CHECK;

/* Adds a kind by its name; false when there is none. */
bool pblog_filter_kind(struct pblog_filter *f, struct str name);

#endif
