#include "reputation.h"

#include <errno.h>

#include "conf.h"

#define FULL_MILLI (100 * 1000)

static int
add_step(void *arg, const char *p, size_t len)
{
	struct reputation_rules *r = arg;
	struct str word = { p, len };
	struct str score;
	uint64_t s;
	uint64_t quota;

	if (r->n_steps == REPUTATION_STEPS_MAX) {
		return -E2BIG;
	}
	if (!str_split(&word, ':', &score) || str_u64(score, 100, &s) < 0 ||
	    str_u64(word, UINT32_MAX, &quota) < 0 || quota == 0 ||
	    (r->n_steps > 0 && r->steps[r->n_steps - 1].score >= s)) {
		return -EINVAL;
	}
	r->steps[r->n_steps].score = (unsigned)s;
	r->steps[r->n_steps++].quota = (uint32_t)quota;
	return 0;
}

int
reputation_steps_parse(const char *list, struct reputation_rules *out)
{
	out->n_steps = 0;
	return conf_list_each(list, add_step, out);
}

/* Of an entry, as a number of days; 0: none left. */
static unsigned
weight_of(const struct reputation_rules *rules, uint32_t day, uint32_t today)
{
	uint32_t age = day < today ? today - day : 0;

	return age < rules->days ? rules->days - age : 0;
}

static int64_t
divide(int64_t a, int64_t b)
{
	return a >= 0 ? (a + b / 2) / b : -((-a + b / 2) / b);
}

/* What the sum is divided by: deliveries and bounces with their weights. */
static int64_t
volume_of(
    const struct tally *t, const struct reputation_rules *rules, uint32_t today)
{
	int64_t v = (int64_t)rules->start_volume * rules->days;

	for (unsigned i = 0; i < t->n_days; i++) {
		const struct tally_day *d = &t->days[i];

		v += (int64_t)weight_of(rules, d->day, today) *
		    ((int64_t)d->n[TALLY_ENTRY_DELIVERY] +
			d->n[TALLY_ENTRY_BOUNCE]);
	}
	return v;
}

struct sum {
	int64_t points;
	void (*fn)(void *arg, const struct reputation_line *line);
	void *arg;
};

static void
add_line(struct sum *s, const struct reputation_line *line)
{
	s->points += line->points_milli;
	if (s->fn != NULL) {
		s->fn(s->arg, line);
	}
}

static void
add_day(struct sum *s, const struct reputation_rules *rules,
    const struct tally_day *d, uint32_t today, int64_t volume)
{
	unsigned weight = weight_of(rules, d->day, today);

	for (unsigned e = 0; weight > 0 && e < TALLY_ENTRIES; e++) {
		struct reputation_line line = {
			.kind = REPUTATION_ENTRIES,
			.day = d->day,
			.entry = (enum tally_entry)e,
			.count = d->n[e],
			.weight_ppm = weight * 1000000 / rules->days,
			.points_milli = divide(
			    (int64_t)d->n[e] * weight * rules->value[e] * 1000,
			    volume),
		};

		if (d->n[e] != 0) {
			add_line(s, &line);
		}
	}
}

int64_t
reputation_score(const struct tally *t, const struct reputation_rules *rules,
    uint64_t now_us, void (*fn)(void *arg, const struct reputation_line *line),
    void *arg)
{
	uint32_t today = tally_number(TALLY_DAY, now_us);
	int64_t volume = volume_of(t, rules, today);
	struct sum s = { .fn = fn, .arg = arg };
	struct reputation_line line = {
		.kind = REPUTATION_OPENING,
		.day = today,
		.count = rules->start_volume,
		.weight_ppm = 1000000,
		.points_milli = divide((int64_t)rules->start_volume *
			rules->days * rules->start * 1000,
		    volume),
	};

	add_line(&s, &line);
	for (unsigned i = 0; i < t->n_days; i++) {
		add_day(&s, rules, &t->days[i], today, volume);
	}
	if (s.points < 0 || s.points > FULL_MILLI) {
		line = (struct reputation_line){
			.kind = REPUTATION_LIMIT,
			.day = today,
			.points_milli =
			    s.points < 0 ? -s.points : FULL_MILLI - s.points,
		};
		add_line(&s, &line);
	}
	return s.points;
}

uint32_t
reputation_quota(const struct reputation_rules *rules, int64_t score_milli)
{
	for (unsigned i = 0; i < rules->n_steps; i++) {
		if (score_milli < (int64_t)rules->steps[i].score * 1000) {
			return rules->steps[i].quota;
		}
	}
	return 0;
}
