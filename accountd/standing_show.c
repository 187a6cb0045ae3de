#include "standing_show.h"

#include "accountd.h"
#include "alerts.h"
#include "clock.h"
#include "commands.h"
#include "standing.h"

static const struct tally *
tally_of(const struct account *a)
{
	static const struct tally none;
	const struct tallied *x = tallies_find(accountd.tallies, a->r.id);

	return x != NULL ? &x->t : &none;
}

/* {"sent": {"hour": 1, ...}, ...} */
static json_t *
json_of_counts(const struct tally *t)
{
	json_t *all = json_object();
	uint64_t now = clock_wall_us();

	for (unsigned c = 0; c < TALLY_COUNTERS; c++) {
		json_t *one = json_object();

		for (unsigned p = 0; p < TALLY_PERIODS; p++) {
			uint64_t n = tally_get(t, (enum tally_counter)c,
			    (enum tally_period)p, now);

			(void)json_object_set_new(one,
			    tally_period_name((enum tally_period)p),
			    json_integer((json_int_t)n));
		}
		(void)json_object_set_new(
		    all, tally_counter_name((enum tally_counter)c), one);
	}
	return all;
}

static json_t *
json_of_alerts(uint32_t on)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < ALERTS; i++) {
		if ((on >> i & 1) != 0) {
			(void)json_array_append_new(
			    names, json_string(alert_name((enum alert)i)));
		}
	}
	return names;
}

void
standing_add_json(const struct account *a, json_t *line)
{
	const struct tally *t = tally_of(a);
	bool is_by_hand;

	(void)standing_quota(a, &is_by_hand);
	(void)json_object_set_new(
	    line, "reputation", json_integer(standing_score(a->r.id) / 1000));
	(void)json_object_set_new(
	    line, "quota_by", json_string(is_by_hand ? "hand" : "reputation"));
	(void)json_object_set_new(line, "alerts", json_of_alerts(t->alerts_on));
	(void)json_object_set_new(line, "statistics", json_of_counts(t));
}

static const char *
line_name(const struct reputation_line *l)
{
	switch (l->kind) {
	case REPUTATION_OPENING:
		return "start";
	case REPUTATION_ENTRIES:
		return tally_entry_name(l->entry);
	case REPUTATION_LIMIT:
		return "limit";
	}
	return "";
}

static void
show_line(void *arg, const struct reputation_line *l)
{
	char day[32];
	json_t *time = command_time((uint64_t)l->day * 86400 * US_PER_S);

	str_copy(day, sizeof(day), str_of(json_string_value(time)));
	json_decref(time);
	day[10] = '\0'; /* only the date */
	tool_out(arg,
	    json_pack("{s:s, s:s, s:I, s:I, s:I}", "entry", line_name(l), "day",
		day, "count", (json_int_t)l->count, "weight_ppm",
		(json_int_t)l->weight_ppm, "millipoints",
		(json_int_t)l->points_milli));
}

void
standing_explain(struct tool *t, const struct account *a)
{
	bool is_by_hand;
	uint32_t quota = standing_quota(a, &is_by_hand);
	int64_t score = reputation_score(
	    tally_of(a), standing_rules(), clock_wall_us(), show_line, t);

	tool_out(t,
	    json_pack("{s:s, s:I, s:I, s:I, s:s}", "name", a->full_name,
		"millipoints", (json_int_t)score, "reputation",
		(json_int_t)(score / 1000), "quota", (json_int_t)quota,
		"quota_by", is_by_hand ? "hand" : "reputation"));
}
