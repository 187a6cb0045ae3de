/*
 * What servers see of the sender, beside what it has stated: that is written
 * here once more, from the text of shaping.cf and from the replies alone.
 */
#include "shaping_week.h"

#include <stdlib.h>
#include <string.h>

#define RING 256u
#define MINUTE_US (60 * 1000000ULL)
#define SLACK_US 1000000ULL
#define ANY UINT32_MAX

/* So many events in any such time. */
struct gauge {
	uint64_t at[RING];
	uint64_t count;
};

/* What shaping.cf states; 0: nothing of this kind. */
struct stated {
	uint32_t first; /* sites */
	uint32_t last;
	uint32_t conns;
	uint32_t msgs;	    /* a minute */
	uint32_t rcpts;	    /* a minute */
	uint32_t new_conns; /* a minute */
	uint32_t conn_msgs;
};

static const struct stated stated[] = {
	{ OUTAGE, OUTAGE, 6, 120, 0, 0, 20 },
	{ GREY, GREY, 6, 120, 0, 0, 20 },
	{ THROTTLE_A, THROTTLE_B, 4, 60, 0, 0, 20 },
	{ BLOCK_A, BLOCK_B, 5, 0, 100, 0, 0 },
	{ BLOCK_A, BLOCK_A, 0, 120, 0, 0, 20 },
	{ BLOCK_B, BLOCK_B, 0, 120, 0, 0, 20 },
	{ SLOW, SLOW, 6, 120, 0, 0, 20 },
	{ BUSY, BUSY, 6, 120, 0, 0, 20 },
	{ TIGHT, TIGHT, 2, 120, 0, 6, 5 },
	{ LIMIT, LIMIT, 6, 120, 0, 0, 20 },
	{ HARSH, HARSH, 6, 0, 0, 0, 20 },
};
#define STATED (sizeof(stated) / sizeof(stated[0]))

/* What follows from replies, for a time. */
struct follows {
	const char *name; /* of the site or provider */
	const char *state;
	uint32_t first; /* sites */
	uint32_t last;
	uint32_t source; /* ANY: of all */
	uint32_t span_s;
	uint32_t conns;
	uint32_t msgs; /* a minute; with conns 0: nothing at all */
};

enum { F_THROTTLE, F_BLOCK, F_SLOW, F_BUSY, F_LIMIT, F_HARSH, FOLLOWS };

static const struct follows follows[FOLLOWS] = {
	[F_THROTTLE] = { "throttle", "backoff", THROTTLE_A, THROTTLE_B, ANY,
	    1800, 1, 10 },
	[F_BLOCK] = { "block", "suspended", BLOCK_A, BLOCK_B, 0, 6 * 3600, 0,
	    0 },
	[F_SLOW] = { "slow.example", "backoff", SLOW, SLOW, ANY, 600, 1, 0 },
	[F_BUSY] = { "busy.example", "backoff", BUSY, BUSY, ANY, 1800, 1, 10 },
	[F_LIMIT] = { "limit.example", "limited", LIMIT, LIMIT, ANY, 3600, 2,
	    12 },
	[F_HARSH] = { "harsh.example", "suspended", HARSH, HARSH, ANY, 7200, 0,
	    0 },
};

struct effect_seen {
	uint64_t entered_us;
	uint64_t least_us; /* it holds until then */
	uint64_t most_us;  /* and no longer; 0: it does not hold */
	struct gauge starts;
	unsigned entered;
	unsigned left;
	unsigned reports; /* of its beginning, by the sender */
};

struct week_watch {
	uint32_t conns[WEEK_SITES][WEEK_SOURCES];
	struct gauge msgs[STATED];
	struct gauge rcpts[STATED];
	struct gauge new_conns[STATED];
	struct effect_seen seen[FOLLOWS];
	unsigned deferrals; /* of BUSY in a row */
	uint32_t day;
	uint32_t cold[WEEK_SITES]; /* recipients tried today, at providers */
	uint32_t most_conns[STATED];
	uint32_t most_cold;
	uint32_t most_source;	   /* connections */
	uint32_t vain[WEEK_SITES]; /* connections tried that nobody took */
	uint32_t account;	   /* transactions under way */
	uint32_t most_account;
	struct gauge account_starts;
	unsigned others;  /* mails of other sources while one is blocked */
	uint64_t back_us; /* the blocked one's first mail afterwards; 0: none */
};

struct week_watch *
week_watch_new(void)
{
	struct week_watch *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	return v;
}

void
week_watch_free(struct week_watch **v)
{
	free(*v);
	*v = NULL;
}

/* ---- counting ----------------------------------------------------------- */

static bool
is_among(uint32_t site, uint32_t first, uint32_t last)
{
	return site >= first && site <= last;
}

/* Whether n were in the last minute. */
static bool
has_had(const struct gauge *g, uint32_t n, uint64_t now_us)
{
	return g->count >= n &&
	    now_us - g->at[(g->count - n) % RING] < MINUTE_US;
}

static void
note(struct gauge *g, uint32_t most, uint64_t now_us)
{
	assert_in_range(most, 0, RING);
	assert_false(most != 0 && has_had(g, most, now_us));
	g->at[g->count++ % RING] = now_us;
}

static uint32_t
sum_conns(const struct week_watch *v, uint32_t first, uint32_t last)
{
	uint32_t n = 0;

	for (uint32_t i = first; i <= last; i++) {
		for (uint32_t k = 0; k < WEEK_SOURCES; k++) {
			n += v->conns[i][k];
		}
	}
	return n;
}

static bool
holds(const struct effect_seen *x, uint64_t given_us, uint64_t now_us)
{
	return x->most_us != 0 && given_us > x->entered_us &&
	    now_us < x->least_us;
}

/* ---- connections -------------------------------------------------------- */

void
week_watch_connect(
    struct week *s, enum week_site site, uint32_t source, uint64_t given_us)
{
	struct week_watch *v = s->watch;
	uint32_t of_source = 0;

	v->conns[site][source]++;
	for (unsigned i = 0; i < STATED; i++) {
		const struct stated *x = &stated[i];
		uint32_t n = sum_conns(v, x->first, x->last);

		if (is_among(site, x->first, x->last)) {
			assert_true(x->conns == 0 || n <= x->conns);
			note(&v->new_conns[i], x->new_conns, s->w.now_us);
			v->most_conns[i] =
			    n > v->most_conns[i] ? n : v->most_conns[i];
		}
	}
	for (uint32_t i = 0; i < WEEK_SITES; i++) {
		of_source += v->conns[i][source];
	}
	assert_in_range(of_source, 1, WEEK_SOURCE_CONNS);
	v->most_source =
	    of_source > v->most_source ? of_source : v->most_source;
	for (unsigned i = 0; i < FOLLOWS; i++) {
		const struct follows *f = &follows[i];

		if (is_among(site, f->first, f->last) &&
		    (f->source == ANY || f->source == source) &&
		    holds(&v->seen[i], given_us, s->w.now_us)) {
			assert_in_range(
			    sum_conns(v, f->first, f->last), 1, f->conns);
		}
	}
}

void
week_watch_disconnect(struct week *s, enum week_site site, uint32_t source)
{
	assert_int_not_equal(s->watch->conns[site][source], 0);
	s->watch->conns[site][source]--;
}

void
week_watch_vain(struct week *s, enum week_site site)
{
	s->watch->vain[site]++;
}

uint32_t
week_watch_conns(const struct week *s, enum week_site site)
{
	return sum_conns(s->watch, site, site);
}

/* ---- mail --------------------------------------------------------------- */

/* The provider of a site, by its first site. */
static uint32_t
provider_of(uint32_t site)
{
	return site == THROTTLE_B ? THROTTLE_A
	    : site == BLOCK_B	  ? BLOCK_A
				  : site;
}

static void
watch_cold(struct week *s, const struct week_job *j)
{
	struct week_watch *v = s->watch;
	uint32_t day = (uint32_t)(j->given_us / DAY_US);
	uint32_t *n = &v->cold[provider_of(j->site)];

	if (day > v->day) {
		memset(v->cold, 0, sizeof(v->cold));
		v->day = day;
	}
	if (day == v->day) {
		*n += j->j.n;
		assert_in_range(*n, 1, WEEK_CEILING);
		v->most_cold = *n > v->most_cold ? *n : v->most_cold;
	}
}

static void
watch_account(struct week *s)
{
	struct week_watch *v = s->watch;

	v->account++;
	v->most_account =
	    v->account > v->most_account ? v->account : v->most_account;
	assert_in_range(v->account, 1, WEEK_ACCOUNT_JOBS);
	note(&v->account_starts, WEEK_ACCOUNT_RATE + WEEK_ACCOUNT_BURST,
	    s->w.now_us);
}

/* The block of one source stops no other, and ends. */
static void
watch_block(struct week *s, uint32_t source)
{
	struct week_watch *v = s->watch;
	const struct effect_seen *x = &v->seen[F_BLOCK];

	v->others += source != 0 && x->most_us != 0;
	if (source == 0 && x->left == 2 && v->back_us == 0) {
		v->back_us = s->w.now_us;
	}
}

/* The recipients of a message have one time only if they are one. */
static void
watch_time(const struct week *s, const struct week_job *j)
{
	const struct week_mail *m = &s->mail[j->lsn];
	uint32_t now_s = world_now_s(&s->w);

	if (m->nrcpt == 1) {
		assert_true(now_s >= m->not_before_s);
		assert_true(m->not_after_s == 0 || now_s <= m->not_after_s);
	}
}

bool
week_watch_had(const struct week *s, enum week_site site, uint32_t n)
{
	unsigned i = 0;

	while (!is_among(site, stated[i].first, stated[i].last)) {
		i++;
	}
	return has_had(&s->watch->msgs[i], n, s->w.now_us);
}

/* What was given out before does not count, but when nothing may be sent it
 * is wanted back: then only what is being begun goes on. */
static uint64_t
begun_us(const struct follows *f, const struct week_job *j, uint64_t now_us)
{
	return f->conns == 0 ? now_us - WEEK_BEGIN_US : j->given_us;
}

void
week_watch_mail(
    struct week *s, const struct week_job *j, uint32_t source, unsigned nth)
{
	struct week_watch *v = s->watch;
	uint64_t now = s->w.now_us;

	watch_time(s, j);
	for (unsigned i = 0; i < STATED; i++) {
		const struct stated *x = &stated[i];

		if (!is_among(j->site, x->first, x->last)) {
			continue;
		}
		assert_true(x->conn_msgs == 0 || nth <= x->conn_msgs);
		assert_true(x->rcpts == 0 || j->j.n <= 5);
		note(&v->msgs[i], x->msgs, now);
		for (uint32_t k = 0; k < j->j.n; k++) {
			note(&v->rcpts[i], x->rcpts, now);
		}
	}
	for (unsigned i = 0; i < FOLLOWS; i++) {
		const struct follows *f = &follows[i];

		if (is_among(j->site, f->first, f->last) &&
		    (f->source == ANY || f->source == source) &&
		    holds(&v->seen[i], begun_us(f, j, now), now)) {
			assert_true(f->msgs != 0 || f->conns != 0);
			note(&v->seen[i].starts, f->msgs, now);
		}
	}
	if (source == WEEK_COLD) {
		watch_cold(s, j);
	}
	if (j->j.account == WEEK_ACCOUNT) {
		watch_account(s);
	}
	if (provider_of(j->site) == BLOCK_A) {
		watch_block(s, source);
	}
}

/* ---- what follows ------------------------------------------------------- */

static void
enters(struct week *s, unsigned i)
{
	struct effect_seen *x = &s->watch->seen[i];
	uint64_t now = s->w.now_us;
	uint64_t span = follows[i].span_s * 1000000ULL;

	if (x->most_us == 0) {
		x->entered_us = now;
		x->entered++;
		x->least_us = now + span;
		x->starts.count = 0;
	} else if (now + span - span / 20 > x->least_us) {
		x->least_us = now + span - span / 20;
	}
	x->most_us = now + span;
}

/* The next attempt is when the rule or the set says. */
static void
expect_retry(struct week *s, const struct week_job *j, unsigned code)
{
	struct week_mail *m = &s->mail[j->lsn];
	uint32_t now_s = world_now_s(&s->w);

	m->not_before_s = now_s + 60;
	m->not_after_s = 0;
	if (j->site == GREY) {
		m->not_before_s = now_s + 600;
		m->not_after_s = now_s + 600 + 300;
	} else if (provider_of(j->site) == THROTTLE_A && code == 421) {
		m->not_before_s = now_s + 900;
	}
}

static void
count_busy(struct week *s, const struct week_reply *reply)
{
	struct week_watch *v = s->watch;

	if (reply->text == NULL) {
		v->deferrals = 0;
	} else if (++v->deferrals >= 10) {
		v->deferrals = 0;
		enters(s, F_BUSY);
	} else if (reply->code == 421 && v->seen[F_BUSY].most_us != 0) {
		enters(s, F_BUSY); /* it goes on */
	}
}

void
week_watch_told(
    struct week *s, const struct week_job *j, const struct week_reply *reply)
{
	if (j->j.account == WEEK_ACCOUNT && !reply->is_connect) {
		s->watch->account--;
	}
	if (j->site == BUSY) {
		count_busy(s, reply);
	}
	if (reply->text == NULL) {
		return;
	}
	expect_retry(s, j, reply->code);
	switch (j->site) {
	case THROTTLE_A:
	case THROTTLE_B:
		enters(s, F_THROTTLE);
		break;
	case BLOCK_A:
	case BLOCK_B:
		enters(s, F_BLOCK);
		break;
	case SLOW:
		enters(s, F_SLOW);
		break;
	case LIMIT:
		enters(s, F_LIMIT);
		break;
	case HARSH:
		enters(s, F_HARSH);
		break;
	default:
		break;
	}
}

void
week_watch_effect(struct week *s, const struct event_path_state *fact)
{
	for (unsigned i = 0; i < FOLLOWS; i++) {
		struct effect_seen *x = &s->watch->seen[i];

		if (!str_is(fact->site, follows[i].name)) {
			continue;
		}
		assert_true(str_is(fact->state, follows[i].state));
		if (fact->until_us != 0) {
			/* Only what replies have asked for. */
			assert_int_not_equal(x->most_us, 0);
			x->reports++;
			continue;
		}
		/* It ends, and not before its time. */
		assert_true(s->w.now_us >= x->least_us);
		x->left++;
		x->most_us = 0;
		return;
	}
}

void
week_watch_now(const struct week *s)
{
	for (unsigned i = 0; i < FOLLOWS; i++) {
		const struct effect_seen *x = &s->watch->seen[i];

		assert_true(
		    x->most_us == 0 || s->w.now_us <= x->most_us + SLACK_US);
	}
}

/* Who is gone is asked once an hour from each source, after some trials. */
static void
check_vain(const struct week_watch *v)
{
	static const uint32_t hours[WEEK_SITES] = {
		[OUTAGE] = OUTAGE_BACK_H - OUTAGE_FROM_H,
		[SLOW] = SLOW_BACK_H - SLOW_FROM_H,
		[NEVER] = WEEK_DAYS * 24,
	};

	for (uint32_t i = 0; i < WEEK_SITES; i++) {
		if (hours[i] != 0) {
			print_message("# %s: %u connections in vain\n",
			    week_names[i], v->vain[i]);
			assert_in_range(
			    v->vain[i], 3, WEEK_SOURCES * (hours[i] + 12));
		}
	}
}

void
week_watch_check(const struct week *s)
{
	const struct week_watch *v = s->watch;

	for (unsigned i = 0; i < FOLLOWS; i++) {
		const struct effect_seen *x = &v->seen[i];

		print_message("# %s %s: entered %u times\n", follows[i].name,
		    follows[i].state, x->entered);
		assert_int_not_equal(x->entered, 0);
		assert_int_equal(x->left, x->entered);
		assert_true(x->reports >= x->entered);
	}
	for (unsigned i = 0; i < STATED; i++) {
		print_message("# limits of %s: %u connections at most\n",
		    week_names[stated[i].first], v->most_conns[i]);
		/* They were felt. */
		assert_true(stated[i].conns == 0 || v->most_conns[i] >= 2);
	}
	assert_int_equal(v->most_cold, WEEK_CEILING);
	assert_int_equal(v->most_account, WEEK_ACCOUNT_JOBS);
	assert_int_equal(v->most_source, WEEK_SOURCE_CONNS);
	check_vain(v);
	/* Twice for six hours: the second time because it was still blocked. */
	assert_int_equal(v->seen[F_BLOCK].entered, 2);
	assert_in_range(v->others, 1000, WEEK_MAIL);
	assert_in_range((v->back_us - WORLD_START_US) / MINUTE_US,
	    (BLOCK_FROM_H + 12) * 60, (BLOCK_FROM_H + 12) * 60 + 30);
}
