#include "warmup.h"

#include <errno.h>

#define CEILING_MAX 1000000000u
#define RATE_WHOLE 10000u

int
warmup_parse(struct str text, struct warmup_plan *out, struct buf *error)
{
	struct warmup_plan p = { .n = 0 };
	struct str word;

	while (str_split(&text, ',', &word)) {
		uint64_t n = 0;

		if (p.n == WARMUP_DAYS) {
			buf_printf(error, "a plan has at most %u days",
			    (unsigned)WARMUP_DAYS);
			return -EINVAL;
		}
		if (str_u64(str_trim(word), CEILING_MAX, &n) < 0 || n == 0 ||
		    (p.n > 0 && n < p.ceiling[p.n - 1])) {
			buf_printf(error,
			    "a plan is a list of numbers from 1 to %u that do "
			    "not fall, such as 50,100,200",
			    CEILING_MAX);
			return -EINVAL;
		}
		p.ceiling[p.n++] = (uint32_t)n;
	}
	if (p.n == 0) {
		buf_puts(error, "a plan needs at least one number");
		return -EINVAL;
	}
	*out = p;
	return 0;
}

uint32_t
warmup_ceiling(const struct warmup_plan *p, const struct warmup_day *d)
{
	if (d->step > p->n) {
		return 0;
	}
	return p->ceiling[d->step > 0 ? d->step - 1 : 0];
}

/* ---- a day's verdict ----------------------------------------------------- */

/* What the day means, from the best to the worst. */
enum word {
	WORD_COUNTS,
	WORD_STAYS,
	WORD_BACK,
};

static enum word
compare(uint64_t part, uint64_t scale, uint64_t whole, uint64_t limit)
{
	if (part * scale <= whole * limit) {
		return WORD_COUNTS;
	}
	return part * scale > 2 * whole * limit ? WORD_BACK : WORD_STAYS;
}

static enum word
judge_deferrals(const struct warmup_rules *r, const struct warmup_count *c)
{
	if (c->tried == 0 || c->tried < r->volume) {
		return WORD_COUNTS;
	}
	return compare(c->deferred, 100, c->tried, r->deferral_percent);
}

/* One complaint says nothing where the limit is less than one. */
static enum word
judge_complaints(const struct warmup_rules *r, const struct warmup_count *c)
{
	uint32_t least =
	    r->complaint_rate == 0 ? 1 : RATE_WHOLE / r->complaint_rate;

	return compare(c->complaints, RATE_WHOLE,
	    c->delivered > least ? c->delivered : least, r->complaint_rate);
}

static void
say(struct buf *verdict, enum word word, const struct warmup_count *c,
    uint32_t part, const char *what, uint32_t whole)
{
	verdict->len = 0;
	buf_printf(verdict, "%s: %u %s of %u at %.*s",
	    word == WORD_BACK ? "back by a day" : "not counted", part, what,
	    whole, c->provider.len > 120 ? 120 : (int)c->provider.len,
	    c->provider.p != NULL ? c->provider.p : "");
}

static enum word
judge(const struct warmup_rules *r, const struct warmup_count *counts, size_t n,
    struct buf *verdict)
{
	enum word worst = WORD_COUNTS;

	for (size_t i = 0; i < n; i++) {
		const struct warmup_count *c = &counts[i];
		enum word deferrals = judge_deferrals(r, c);
		enum word complaints = judge_complaints(r, c);

		if (deferrals > worst) {
			worst = deferrals;
			say(verdict, worst, c, c->deferred, "put off",
			    c->tried);
		}
		if (complaints > worst) {
			worst = complaints;
			say(verdict, worst, c, c->complaints, "complaints",
			    c->delivered);
		}
	}
	return worst;
}

static bool
is_used(const struct warmup_rules *r, const struct warmup_count *counts,
    size_t n, uint32_t ceiling)
{
	for (size_t i = 0; i < n; i++) {
		if ((uint64_t)counts[i].tried * 100 >=
			(uint64_t)ceiling * r->use_percent &&
		    counts[i].tried > 0) {
			return true;
		}
	}
	return false;
}

void
warmup_turn(const struct warmup_plan *p, const struct warmup_rules *r,
    const struct warmup_count *counts, size_t n, uint32_t today,
    struct warmup_day *d, struct buf *verdict)
{
	uint32_t ceiling = warmup_ceiling(p, d);
	enum word word = judge(r, counts, n, verdict);

	d->step_day = today;
	if (word == WORD_COUNTS && !is_used(r, counts, n, ceiling)) {
		buf_puts(verdict, "not counted: too little mail");
		word = WORD_STAYS;
	} else if (word == WORD_COUNTS) {
		buf_printf(verdict, "counted with %u a provider", ceiling);
		d->step++;
		d->held = 0;
		return;
	}
	if (word == WORD_BACK && d->step > 1) {
		d->step--;
	}
	d->held++;
}

uint32_t
warmup_end(const struct warmup_plan *p, const struct warmup_day *d)
{
	return d->step > p->n ? d->step_day : d->step_day + p->n + 1 - d->step;
}
