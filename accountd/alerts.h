/*
 * What an account is warned about. A rule is on from one threshold and over
 * only behind another, so that one matter is one alert and one all-clear.
 */
#ifndef ACCOUNTD_ALERTS_H
#define ACCOUNTD_ALERTS_H

#include <stdint.h>

#include "buf.h"
#include "tally.h"

enum alert {
	ALERT_BOUNCE_RATE,
	ALERT_COMPLAINT_RATE,
	ALERT_REPUTATION,
	ALERT_QUOTA,
	ALERTS,
};

/* 0 turns a rule off, save for volume. */
struct alert_rules {
	uint64_t volume;	 /* less mail in two days has no rate */
	uint64_t bounce_rate;	 /* percent, from here on */
	uint64_t complaint_rate; /* of ten thousand, from here on */
	uint64_t reputation;	 /* score, below it */
	uint64_t quota;		 /* percent of the hour's, from here on */
};

/* What is watched. */
struct alert_facts {
	uint64_t delivered; /* of today and yesterday */
	uint64_t bounces;
	uint64_t complaints;
	int64_t score_milli;
	uint64_t sent;	/* recipients of this hour */
	uint64_t quota; /* 0: none */
};

const char *alert_name(enum alert a);
/* ALERTS when there is none. */
enum alert alert_parse(struct str name);

/* The rules that are on now, given those that were. */
uint32_t alerts_judge(const struct alert_rules *rules,
    const struct alert_facts *f, uint32_t was_on);

/* One line about a rule, for people. */
void alert_print(enum alert a, const struct alert_rules *rules,
    const struct alert_facts *f, struct buf *out);

#endif
