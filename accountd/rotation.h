/*
 * The change of a domain's DKIM keys without a gap: the next keys are made
 * and published beside those in use; once their record was seen for a waiting
 * time they sign, and the last ones stay published until nobody can have to
 * verify their signatures any more. Pure functions; rotating.c drives them.
 */
#ifndef ACCOUNTD_ROTATION_H
#define ACCOUNTD_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "ipc.h"
#include "schema.h"

struct rotation_times {
	uint64_t wait_us;  /* dkim_rotate_wait */
	uint64_t keep_us;  /* dkim_rotate_keep */
	uint64_t after_us; /* dkim_rotate_after; 0: only by hand */
};

/*
 * The selector of a key that takes another's place: as records_selector, with
 * the number of the domain's rotation, so that a name never means two keys.
 * dst has SELECTOR_SIZE bytes.
 */
void rotation_selector(
    const struct schema_domain *d, uint64_t wall_us, char letter, char *dst);

/* May new keys be made? NULL, or why not, for people. */
const char *rotation_obstacle(const struct schema_domain *d);

/*
 * Gives the change up: next keys are to be deleted without having signed;
 * last ones that are still kept sign again, and those in use are the last
 * ones. Returns NULL, or why that cannot be, for people.
 */
const char *rotation_cancel(
    struct schema_domain *d, uint64_t now_us) MUST_CHECK;

/* Does the schedule ask for new keys now? */
bool rotation_is_wanted(const struct schema_domain *d,
    const struct rotation_times *times, uint64_t now_us);

/* After how long in use the keys are changed, microseconds; 0: by hand. */
uint64_t rotation_after(
    const struct schema_domain *d, const struct rotation_times *times);

/* The next keys are made. Strings then point to the arguments. */
void rotation_begin(struct schema_domain *d, struct str selector1,
    struct str record1, struct str selector2, struct str record2,
    uint64_t now_us);

/*
 * Takes in what the DNS says of the other keys. The next keys take over when
 * their RSA record has been seen for the waiting time and is seen now; or at
 * once when it is seen and that of the keys in use is not. What cannot be told
 * changes nothing. Returns whether rotation is another one now. Strings then
 * point into rep.
 */
bool rotation_judge(struct schema_domain *d, const struct ipc_dkim_rep *rep,
    const struct rotation_times *times, uint64_t now_us);

/* May signd delete the other keys: last ones that were kept long enough, or
 * next ones that were given up? rotation_release says that it has. */
bool rotation_is_kept_enough(const struct schema_domain *d,
    const struct rotation_times *times, uint64_t now_us);
void rotation_release(struct schema_domain *d, uint64_t now_us);

/* When it goes on by itself, wall time: the next keys sign, or the last ones
 * may go. 0: not known, or nothing is to come. */
uint64_t rotation_due(
    const struct schema_domain *d, const struct rotation_times *times);

/* For people and JSON: none publish wait keep remove cancel. */
const char *rotation_name(uint8_t rotation);

#endif
