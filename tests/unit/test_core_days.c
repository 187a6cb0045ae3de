#include "core_world.h"

#include <stdio.h>
#include <string.h>

/*
 * A simulated week of a sender with several accounts, whose destinations fail
 * for hours, or want less for hours: what is promised of the whole, over time,
 * and that no stated limit is ever exceeded.
 */

#define DAYS 7u
#define SITES 12u
#define ACCOUNTS 6u
#define TICK_US 500000ULL
#define MAX_JOBS 4096u
#define MAX_MAIL 150000u
#define THROTTLING 7u /* this site says 421 to most, hours a day */
#define RATE_S 60u
#define STARTS 64u

/* A limit that was set, and what is seen of it. */
struct watch {
	enum core_level level;
	uint32_t max_conn;
	uint32_t rate; /* in RATE_S */
	uint32_t burst;
	uint32_t inflight;
	uint32_t most;
	uint64_t starts[STARTS]; /* of the latest jobs, a ring */
	uint32_t nstarts;
};

enum { W_SITE_RATE, W_SITE_CONN, W_PROVIDER, W_ACCOUNT, W_SOURCE, WATCHES };

/* Sites of the limits, but for the account and the source. */
#define RATED 3u
#define NARROW 4u
#define SHARED_FIRST 5u /* these two have one provider */
#define SHARED_LAST 6u
#define BUSY_ACCOUNT 2u

struct flying {
	struct world_job j;
	uint64_t ends_us;
	bool is_refused; /* the site was down when it began */
	uint32_t account;
};

struct mail {
	uint64_t sent_us;
	uint32_t site;
	uint8_t is_over;
};

struct days {
	struct world w;
	uint32_t domain[SITES];
	uint64_t down_from[SITES];
	uint64_t down_to[SITES];
	struct flying flying[MAX_JOBS];
	unsigned nflying;
	struct mail mail[MAX_MAIL];
	uint32_t nmail;
	uint64_t random;
	uint64_t up_delay_us; /* longest of mail whose site was up */
	unsigned delivered;
	unsigned expired;
	unsigned throttled;
	struct watch watch[WATCHES];
};

static uint32_t
rnd(struct days *s, uint32_t n)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((z ^ z >> 31) % n);
}

static bool
is_down(const struct days *s, uint32_t site)
{
	return s->w.now_us >= s->down_from[site] &&
	    s->w.now_us < s->down_to[site];
}

/* Whether it was down at any time since then, or has just returned: a path
 * may rest for an hour more. */
static bool
was_down(const struct days *s, uint32_t site, uint64_t since_us)
{
	return s->down_to[site] + 3700 * 1000000ULL > since_us &&
	    s->down_from[site] < s->w.now_us;
}

/* Whether the site answers 421 now: twelve hours of each day. */
static bool
is_throttling(const struct days *s, uint32_t site)
{
	return site == THROTTLING && s->w.now_us / 1000000 % 86400 < 43200;
}

/* ---- limits ------------------------------------------------------------- */

static bool
concerns(enum core_level level, unsigned watch, uint32_t site, uint32_t account)
{
	switch (level) {
	case CORE_LEVEL_SITE:
		return site == (watch == W_SITE_RATE ? RATED : NARROW);
	case CORE_LEVEL_PROVIDER:
		return site == SHARED_FIRST || site == SHARED_LAST;
	case CORE_LEVEL_ACCOUNT:
		return account == BUSY_ACCOUNT;
	case CORE_LEVEL_SOURCE:
		return true;
	default:
		return false;
	}
}

static void
set_limits(struct days *s)
{
	static const struct watch all[WATCHES] = {
		[W_SITE_RATE] = { .level = CORE_LEVEL_SITE,
		    .rate = 10,
		    .burst = 2 },
		[W_SITE_CONN] = { .level = CORE_LEVEL_SITE, .max_conn = 2 },
		[W_PROVIDER] = { .level = CORE_LEVEL_PROVIDER,
		    .max_conn = 3,
		    .rate = 20,
		    .burst = 4 },
		[W_ACCOUNT] = { .level = CORE_LEVEL_ACCOUNT, .max_conn = 12 },
		[W_SOURCE] = { .level = CORE_LEVEL_SOURCE, .max_conn = 40 },
	};
	struct core *core = s->w.core;
	const uint32_t index[WATCHES] = {
		[W_SITE_RATE] = core_site(core, STR("s3.example"), NULL),
		[W_SITE_CONN] = core_site(core, STR("s4.example"), NULL),
		[W_PROVIDER] = core_provider(core, STR("big.example"), NULL),
		[W_ACCOUNT] = BUSY_ACCOUNT,
	};

	for (uint32_t i = SHARED_FIRST; i <= SHARED_LAST; i++) {
		struct str site = core_domain_name(core, s->domain[i]);

		core_site_answer(core, s->domain[i], CORE_ANSWER_SITE,
		    core_site(core, site, NULL), index[W_PROVIDER], UINT32_MAX);
	}
	for (unsigned k = 0; k < WATCHES; k++) {
		struct core_limits l = { .max_conn = all[k].max_conn,
			.rate_msgs = all[k].rate,
			.rate_s = all[k].rate != 0 ? RATE_S : 0,
			.burst = all[k].burst };
		struct core_object o = { .level = all[k].level,
			.index = index[k] };

		s->watch[k] = all[k];
		assert_int_equal(core_limits_set(core, &o, &l), 0);
	}
}

/* A job begins: in any RATE_S there are no more than the rate and the burst. */
static void
watch_start(struct days *s, uint32_t site, uint32_t account)
{
	for (unsigned k = 0; k < WATCHES; k++) {
		struct watch *x = &s->watch[k];
		uint32_t most = x->rate + x->burst;

		if (!concerns(x->level, k, site, account)) {
			continue;
		}
		x->inflight++;
		x->most = x->inflight > x->most ? x->inflight : x->most;
		assert_true(x->max_conn == 0 || x->inflight <= x->max_conn);
		if (x->rate != 0 && x->nstarts >= most) {
			uint64_t before =
			    x->starts[(x->nstarts - most) % STARTS];

			assert_true(
			    s->w.now_us - before >= RATE_S * 1000000ULL);
		}
		x->starts[x->nstarts++ % STARTS] = s->w.now_us;
	}
}

static void
watch_end(struct days *s, uint32_t site, uint32_t account)
{
	for (unsigned k = 0; k < WATCHES; k++) {
		struct watch *x = &s->watch[k];

		if (concerns(x->level, k, site, account)) {
			assert_int_not_equal(x->inflight, 0);
			x->inflight--;
		}
	}
}

/* ---- the days ----------------------------------------------------------- */

static void
start(struct days *s)
{
	memset(s, 0, sizeof(*s));
	world_init(&s->w, NULL);
	for (uint32_t i = 0; i < SITES; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "s%u.example", i);
		s->domain[i] = world_domain(&s->w, name);
		/* Each fails once a day or so, for up to ten hours; the last
		 * never comes back. */
		s->down_from[i] = s->w.now_us + (i * 7200 + 3600) * 1000000ULL;
		s->down_to[i] = i == SITES - 1
		    ? UINT64_MAX / 2
		    : s->down_from[i] + (i * 3600 + 60) * 1000000ULL;
	}
	set_limits(s);
}

static void
send(struct days *s)
{
	struct core_message m = world_message(&s->w, 1 + rnd(s, ACCOUNTS));
	uint32_t site = rnd(s, SITES);
	struct mail *mail = &s->mail[m.accept_lsn];

	assert_in_range(m.accept_lsn, 1, MAX_MAIL - 1);
	m.class = (enum core_class)rnd(s, 3);
	m.expiry_s = world_now_s(&s->w) + 2 * 86400;
	*mail = (struct mail){ .sent_us = s->w.now_us, .site = site };
	s->nmail++;
	(void)world_send(&s->w, &m, s->domain[site], 1);
}

static void
over(struct days *s, uint64_t lsn)
{
	struct mail *mail = &s->mail[lsn];

	/* Every recipient ends exactly once. */
	assert_int_equal(mail->is_over, 0);
	mail->is_over = 1;
}

static void
take_outputs(struct days *s)
{
	struct world *w = &s->w;

	while (world_next(w)) {
		struct flying *f = &s->flying[s->nflying];
		uint32_t site = s->mail[w->out.accept_lsn].site;

		switch (w->out.kind) {
		case CORE_JOB:
			assert_in_range(s->nflying, 0, MAX_JOBS - 1);
			*f = (struct flying){ .is_refused = is_down(s, site) };
			f->j.id = w->out.job.id;
			f->j.path = w->out.job.path;
			f->j.n = 1;
			f->j.ordinal[0] = w->out.job.rcpts[0].ordinal;
			f->j.msg = (uint32_t)w->out.accept_lsn;
			f->account = w->out.account;
			watch_start(s, site, f->account);
			f->ends_us = w->now_us +
			    (f->is_refused ? 30000000
					   : 200000 + rnd(s, 800000));
			s->nflying++;
			break;
		case CORE_EXPIRED:
			over(s, w->out.accept_lsn);
			s->expired++;
			assert_int_equal(site, SITES - 1);
			break;
		case CORE_MESSAGE_DONE:
			assert_int_equal(s->mail[w->out.accept_lsn].is_over, 1);
			s->mail[w->out.accept_lsn].is_over = 2;
			break;
		case CORE_CANCEL:
		case CORE_CLOSE:
		case CORE_SEGMENT_EMPTY:
			break;
		default:
			fail_msg("output of kind %d", (int)w->out.kind);
		}
	}
}

static void
land(struct days *s, struct flying *f)
{
	const struct mail *mail = &s->mail[f->j.msg];

	watch_end(s, mail->site, f->account);
	if (is_throttling(s, mail->site) && rnd(s, 10) < 7) {
		(void)world_result(
		    &s->w, &f->j, OUTCOME_DEFERRED, CORE_FB_THROTTLE);
		s->throttled++;
		return;
	}
	if (f->is_refused) {
		world_refuse(&s->w, &f->j);
		return;
	}
	if (rnd(s, 50) == 0) {
		(void)world_defer(&s->w, &f->j); /* greylisted, mailbox full */
		return;
	}
	(void)world_deliver(&s->w, &f->j);
	over(s, f->j.msg);
	s->delivered++;
	if (mail->site != THROTTLING &&
	    !was_down(s, mail->site, mail->sent_us)) {
		uint64_t delay = s->w.now_us - mail->sent_us;

		s->up_delay_us =
		    delay > s->up_delay_us ? delay : s->up_delay_us;
	}
}

/* Open connections, whatever they do, are never more than the limits say. */
static void
watch_connections(struct days *s)
{
	const struct watch *w = s->watch;
	uint32_t of[WATCHES] = { 0 };
	struct core_path_view v;
	uint32_t at = 0;

	while (core_path_next(s->w.core, &at, &v)) {
		struct str name = core_site_name(s->w.core, v.site);

		of[W_SITE_CONN] += str_is(name, "s4.example") ? v.conns : 0;
		of[W_PROVIDER] += v.provider != CORE_NONE ? v.conns : 0;
		of[W_SOURCE] += v.conns;
	}
	assert_in_range(of[W_SITE_CONN], 0, w[W_SITE_CONN].max_conn);
	assert_in_range(of[W_PROVIDER], 0, w[W_PROVIDER].max_conn);
	assert_in_range(of[W_SOURCE], 0, w[W_SOURCE].max_conn);
}

static void
land_all(struct days *s)
{
	for (unsigned i = 0; i < s->nflying;) {
		if (s->flying[i].ends_us > s->w.now_us) {
			i++;
			continue;
		}
		land(s, &s->flying[i]);
		s->flying[i] = s->flying[--s->nflying];
	}
}

/* The week was one in which the limits were felt. */
static void
check_week(const struct days *s)
{
	/* A few retries of its own, but no other site's outage. */
	assert_in_range(s->up_delay_us / 1000000, 1, 3 * 1200);
	assert_in_range(s->throttled, 1000, MAX_MAIL);
	assert_int_equal(s->watch[W_SITE_CONN].most, 2);
	assert_in_range(s->watch[W_PROVIDER].most, 2, 3);
	assert_in_range(s->watch[W_ACCOUNT].most, 6, 12);
	print_message("# %u messages, %u expired, %u throttled, slowest %u s\n",
	    s->nmail, s->expired, s->throttled,
	    (unsigned)(s->up_delay_us / 1000000));
}

static void
test_core_a_week_of_outages_and_throttling_exceeds_no_limit_and_delays_only_its_own(
    void **state)
{
	static struct days s;
	uint64_t end;
	struct core_stats st;

	(void)state;
	start(&s);
	s.random = 20;
	end = s.w.now_us + DAYS * 86400 * 1000000ULL;
	while (s.w.now_us < end) {
		uint64_t left = end - s.w.now_us;

		/* The last two days and more are for what is left. */
		if (left > 5 * 43200 * 1000000ULL && rnd(&s, 7) == 0) {
			send(&s);
		}
		take_outputs(&s);
		watch_connections(&s);
		world_pass(&s.w, TICK_US);
		land_all(&s);
	}
	take_outputs(&s);
	core_stats_get(s.w.core, &st);
	assert_int_equal(st.messages, 0);
	assert_int_equal(s.delivered + s.expired, s.nmail);
	for (uint32_t i = 1; i <= s.nmail; i++) {
		assert_int_equal(s.mail[i].is_over, 2);
	}
	check_week(&s);
	world_fini(&s.w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_a_week_of_outages_and_throttling_exceeds_no_limit_and_delays_only_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
