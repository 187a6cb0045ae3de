#include "core_world.h"

#include <stdio.h>
#include <string.h>

/*
 * Five simulated days of a sender with several accounts, whose destinations
 * fail for hours: what is promised of the whole, over time.
 */

#define DAYS 5u
#define SITES 12u
#define ACCOUNTS 6u
#define TICK_US 500000ULL
#define MAX_JOBS 4096u
#define MAX_MAIL 100000u

struct flying {
	struct world_job j;
	uint64_t ends_us;
	bool is_refused; /* the site was down when it began */
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
			f->j.n = 1;
			f->j.ordinal[0] = w->out.job.rcpts[0].ordinal;
			f->j.msg = (uint32_t)w->out.accept_lsn;
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
	if (!was_down(s, mail->site, mail->sent_us)) {
		uint64_t delay = s->w.now_us - mail->sent_us;

		s->up_delay_us =
		    delay > s->up_delay_us ? delay : s->up_delay_us;
	}
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

static void
test_core_days_of_outages_end_every_message_once_and_delay_only_their_own(
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
	/* A few retries of its own, but no other site's outage. */
	assert_in_range(s.up_delay_us / 1000000, 1, 3 * 1200);
	print_message("# %u messages, %u expired, slowest %u s\n", s.nmail,
	    s.expired, (unsigned)(s.up_delay_us / 1000000));
	world_fini(&s.w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_days_of_outages_end_every_message_once_and_delay_only_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
