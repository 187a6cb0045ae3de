#include "rotation.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "plan.h"
#include "records.h"

void
rotation_selector(
    const struct schema_domain *d, uint64_t wall_us, char letter, char *dst)
{
	time_t t = (time_t)(wall_us / US_PER_S);
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm); /* fails after the year 2^31 only */
	snprintf(dst, SELECTOR_SIZE, "pb%u-%04u%02u-%u%c", d->account,
	    (unsigned)(tm.tm_year + 1900) % 10000,
	    (unsigned)(tm.tm_mon + 1) % 100, d->rotations % 100000 + 2, letter);
}

const char *
rotation_obstacle(const struct schema_domain *d)
{
	switch ((enum rotation)d->rotation) {
	case ROTATION_NONE:
	case ROTATION_REMOVE:
		break;
	case ROTATION_PUBLISH:
	case ROTATION_WAIT:
		return "its next keys are made already: publish their records";
	case ROTATION_KEEP:
		return "its last keys must still be kept";
	case ROTATION_CANCEL:
		return "its next keys are being deleted; try again";
	}
	return d->state == DOMAIN_VERIFIED
	    ? NULL
	    : "it is not verified: publish the records of its keys";
}

uint64_t
rotation_after(
    const struct schema_domain *d, const struct rotation_times *times)
{
	return d->is_rotate_set ? d->rotate_after_us : times->after_us;
}

/* Has so long passed? A clock that was put back makes it wait. */
static bool
has_passed(uint64_t since_us, uint64_t span_us, uint64_t now_us)
{
	return now_us >= since_us && now_us - since_us >= span_us;
}

bool
rotation_is_wanted(const struct schema_domain *d,
    const struct rotation_times *times, uint64_t now_us)
{
	uint64_t after = rotation_after(d, times);
	uint64_t since = d->rotated_us != 0 ? d->rotated_us : d->created_us;

	/* Who gives a change up wants no other one at once. */
	if (d->cancelled_us > since) {
		since = d->cancelled_us;
	}
	return after != 0 && d->failing_us == 0 &&
	    rotation_obstacle(d) == NULL && has_passed(since, after, now_us);
}

static void
enter(struct schema_domain *d, enum rotation rotation, uint64_t now_us)
{
	d->rotation = (uint8_t)rotation;
	d->rotation_us = now_us;
}

static void
set_others(struct schema_domain *d, struct str selector1, struct str record1,
    struct str selector2, struct str record2)
{
	d->other1 = selector1;
	d->other_record1 = record1;
	d->other1_status = CHECK_SKIPPED;
	d->other1_reason = STR("");
	d->other2 = selector2;
	d->other_record2 = record2;
	d->other2_status = CHECK_SKIPPED;
	d->other2_reason = STR("");
}

void
rotation_begin(struct schema_domain *d, struct str selector1,
    struct str record1, struct str selector2, struct str record2,
    uint64_t now_us)
{
	set_others(d, selector1, record1, selector2, record2);
	d->rotations++;
	enter(d, ROTATION_PUBLISH, now_us);
}

static void
swap_str(struct str *a, struct str *b)
{
	struct str c = *a;

	*a = *b;
	*b = c;
}

static void
swap_status(uint8_t *a, uint8_t *b)
{
	uint8_t c = *a;

	*a = *b;
	*b = c;
}

/* The next keys sign from now on; those in use so far are the last ones. */
static void
take_over(struct schema_domain *d, uint64_t now_us)
{
	swap_str(&d->selector1, &d->other1);
	swap_str(&d->record1, &d->other_record1);
	swap_str(&d->dkim1_reason, &d->other1_reason);
	swap_status(&d->dkim1_status, &d->other1_status);
	swap_str(&d->selector2, &d->other2);
	swap_str(&d->record2, &d->other_record2);
	swap_str(&d->dkim2_reason, &d->other2_reason);
	swap_status(&d->dkim2_status, &d->other2_status);
	d->rotated_us = now_us;
	if (d->state != DOMAIN_VERIFIED) {
		d->verified_us = now_us;
	}
	d->state = DOMAIN_VERIFIED;
	d->failing_us = 0;
	enter(d, ROTATION_KEEP, now_us);
}

const char *
rotation_cancel(struct schema_domain *d, uint64_t now_us)
{
	switch ((enum rotation)d->rotation) {
	case ROTATION_NONE:
	case ROTATION_REMOVE:
		return "no change is under way";
	case ROTATION_CANCEL:
		return "its next keys are being deleted already";
	case ROTATION_PUBLISH:
	case ROTATION_WAIT:
		enter(d, ROTATION_CANCEL, now_us);
		break;
	case ROTATION_KEEP:
		if (d->other1_status != CHECK_OK) {
			return "the record of its last RSA key is not seen: "
			       "publish it, then verify";
		}
		take_over(d, now_us);
		break;
	}
	d->cancelled_us = now_us;
	return NULL;
}

static bool
judge_next(struct schema_domain *d, const struct rotation_times *times,
    uint64_t now_us)
{
	uint8_t before = d->rotation;

	if (d->other1_status == CHECK_TEMPORARY) {
		return false;
	}
	if (d->other1_status != CHECK_OK) {
		if (before == ROTATION_WAIT) {
			enter(d, ROTATION_PUBLISH, now_us);
		}
		return d->rotation != before;
	}
	if (before == ROTATION_PUBLISH) {
		enter(d, ROTATION_WAIT, now_us);
	}
	if (has_passed(d->rotation_us, times->wait_us, now_us) ||
	    d->failing_us != 0 || d->state != DOMAIN_VERIFIED) {
		take_over(d, now_us);
	}
	return d->rotation != before;
}

bool
rotation_judge(struct schema_domain *d, const struct ipc_dkim_rep *rep,
    const struct rotation_times *times, uint64_t now_us)
{
	if (d->rotation == ROTATION_NONE) {
		return false;
	}
	d->other1_status = rep->dkim1;
	d->other1_reason = rep->dkim1_reason;
	d->other2_status = rep->dkim2;
	d->other2_reason = rep->dkim2_reason;
	if (d->rotation == ROTATION_PUBLISH || d->rotation == ROTATION_WAIT) {
		return judge_next(d, times, now_us);
	}
	if (d->rotation == ROTATION_REMOVE && rep->dkim1 == CHECK_MISSING &&
	    (d->other2.len == 0 || rep->dkim2 == CHECK_MISSING)) {
		set_others(d, STR(""), STR(""), STR(""), STR(""));
		enter(d, ROTATION_NONE, now_us);
		return true;
	}
	return false;
}

bool
rotation_is_kept_enough(const struct schema_domain *d,
    const struct rotation_times *times, uint64_t now_us)
{
	return d->rotation == ROTATION_CANCEL ||
	    (d->rotation == ROTATION_KEEP &&
		has_passed(d->rotation_us, times->keep_us, now_us));
}

void
rotation_release(struct schema_domain *d, uint64_t now_us)
{
	enter(d, ROTATION_REMOVE, now_us);
}

uint64_t
rotation_due(const struct schema_domain *d, const struct rotation_times *times)
{
	switch ((enum rotation)d->rotation) {
	case ROTATION_WAIT:
		return d->rotation_us + times->wait_us;
	case ROTATION_KEEP:
		return d->rotation_us + times->keep_us;
	case ROTATION_NONE:
	case ROTATION_PUBLISH:
	case ROTATION_REMOVE:
	case ROTATION_CANCEL:
		break;
	}
	return 0;
}

const char *
rotation_name(uint8_t rotation)
{
	switch ((enum rotation)rotation) {
	case ROTATION_NONE:
		return "none";
	case ROTATION_PUBLISH:
		return "publish";
	case ROTATION_WAIT:
		return "wait";
	case ROTATION_KEEP:
		return "keep";
	case ROTATION_REMOVE:
		return "remove";
	case ROTATION_CANCEL:
		return "cancel";
	}
	return "unknown";
}
