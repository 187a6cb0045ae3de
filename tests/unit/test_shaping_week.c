#include "shaping_week.h"

#include <stdlib.h>
#include <string.h>

#include "effects.h"
#include "log.h"

/*
 * A simulated week of outages, throttling, greylisting and blocks, with the
 * rules of a shaping.cf: no stated limit is ever exceeded, what rules begin
 * ends, everything arrives or expires, and what was away gets its full rate
 * again soon after it is back.
 */

#define SEND_HOURS 108u
#define LIFE_S (2u * 86400)
#define SITE_PER_MIN 50u /* messages of all */
#define RECALLS 64u

const char *const week_names[WEEK_SITES] = {
	[OUTAGE] = "outage.example",
	[GREY] = "grey.example",
	[THROTTLE_A] = "a.throttle.example",
	[THROTTLE_B] = "b.throttle.example",
	[BLOCK_A] = "a.block.example",
	[BLOCK_B] = "b.block.example",
	[SLOW] = "slow.example",
	[BUSY] = "busy.example",
	[NEVER] = "never.example",
	[TIGHT] = "tight.example",
	[LIMIT] = "limit.example",
	[HARSH] = "harsh.example",
};

/* Of 100 messages. */
static const uint8_t shares[WEEK_SITES] = {
	[OUTAGE] = 16,
	[GREY] = 6,
	[THROTTLE_A] = 10,
	[THROTTLE_B] = 6,
	[BLOCK_A] = 8,
	[BLOCK_B] = 7,
	[SLOW] = 22,
	[BUSY] = 6,
	[NEVER] = 1,
	[TIGHT] = 10,
	[LIMIT] = 7,
	[HARSH] = 1,
};

const char week_conf[] =
    "[default]\n"
    "connections = 6\n"
    "messages = 120/1m/10\n"
    "messages_per_connection = 20\n"
    "reply = /grey.?list/ rcpt requeue-in 10m, class greylist\n"
    "reply = /too many connections/ connect slow few\n"
    "reply = /slow down/ limit connections=2 messages=12/1m for 1h\n"
    "[provider throttle]\n"
    "mx = throttle.example\n"
    "connections = 4\n"
    "messages = 60/1m/4\n"
    "reply = /4\\.7\\.0 more than/ mail slow gentle, class rate\n"
    "[provider block]\n"
    "mx = block.example\n"
    "connections = 5\n"
    "recipients = 100/1m/5\n"
    "reply = /blocked/ suspend for 6h, class spam_ip\n"
    "[site busy.example]\n"
    "backoff = gentle after 10\n"
    "[site tight.example]\n"
    "connections = 2\n"
    "connection_rate = 6/1m\n"
    "messages_per_connection = 5\n"
    "[site harsh.example]\n"
    "messages = 6000/1m/100\n"
    "reply = /go away/ suspend all for 2h\n"
    "[backoff gentle]\n"
    "connections = 1\n"
    "messages = 10/1m\n"
    "retry = 15m 30m 1h\n"
    "leave_after = 30m\n"
    "[backoff few]\n"
    "connections = 1\n"
    "leave_after = 10m\n";

/* Many at once, each day. */
static const struct burst {
	enum week_site site;
	uint32_t hour;
	uint32_t n;
} bursts[] = {
	{ THROTTLE_A, 9, 300 },
	{ THROTTLE_B, 15, 1500 },
	{ TIGHT, 3, 300 },
	{ LIMIT, 9, 400 },
	{ BLOCK_A, 10, 500 },
	{ GREY, 12, 400 },
	{ HARSH, 18, 100 },
};

/* From then on, within some minutes, ten minutes have this part of what the
 * limits allow. */
static const struct recovery {
	const char *what;
	enum week_site first; /* sites */
	enum week_site last;
	uint32_t from_min;
	uint32_t within_min;
	uint32_t rate; /* a minute */
	uint32_t percent;
} recoveries[] = {
	{ "a day's outage", OUTAGE, OUTAGE, OUTAGE_BACK_H * 60, 75, 120, 85 },
	{ "a slow return", SLOW, SLOW, SLOW_WELL_H * 60, 45, 120, 85 },
	{ "throttling", THROTTLE_A, THROTTLE_B, THROTTLE_BACK_H * 60, 60, 60,
	    85 },
	{ "throttling again", THROTTLE_A, THROTTLE_B,
	    (72 + THROTTLE_BACK_H) * 60, 60, 60, 85 },
};

struct recalls {
	uint32_t path[RECALLS];
	unsigned n;
};

static struct recalls recalls;

/* ---- what the parts need ------------------------------------------------ */

uint32_t
week_random(struct week *s, uint32_t n)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((z ^ z >> 31) % n);
}

uint64_t
week_since_us(const struct week *s)
{
	return s->w.now_us - WORLD_START_US;
}

struct str
week_ip(void *arg, uint32_t source)
{
	static const struct str ip[WEEK_SOURCES] = { { "192.0.2.1", 9 },
		{ "192.0.2.2", 9 }, { "192.0.2.3", 9 } };

	(void)arg;
	assert_in_range(source, 0, WEEK_SOURCES - 1);
	return ip[source];
}

static uint32_t
count_sources(void *arg)
{
	(void)arg;
	return WEEK_SOURCES;
}

static void
on_changed(void *arg, const struct event_path_state *fact)
{
	struct week *s = arg;

	week_watch_effect(s, fact);
}

/* deliver hears of it when the result was dealt with. */
static void
on_recall(void *arg, uint32_t path)
{
	(void)arg;
	assert_in_range(recalls.n, 0, RECALLS - 1);
	recalls.path[recalls.n++] = path;
}

/* ---- results ------------------------------------------------------------ */

static void
end_rcpt(struct week *s, uint32_t lsn, unsigned ordinal)
{
	struct week_mail *m = &s->mail[lsn];

	/* Each recipient ends exactly once. */
	assert_int_equal(m->over >> ordinal & 1, 0);
	m->over = (uint8_t)(m->over | 1u << ordinal);
}

static void
note_delivered(struct week *s, const struct week_job *j)
{
	uint64_t bin = week_since_us(s) / (600 * 1000000ULL);

	assert_in_range(bin, 0, WEEK_BINS - 1);
	assert_true(world_now_s(&s->w) <= s->mail[j->lsn].expiry_s + 60);
	for (uint32_t i = 0; i < j->j.n; i++) {
		end_rcpt(s, j->lsn, j->j.ordinal[i]);
		s->delivered++;
		s->bins[j->site][bin]++;
	}
}

static struct core_result
ask_shape(
    struct week *s, const struct week_job *j, const struct week_reply *reply)
{
	bool is_fine = reply->text == NULL && !reply->is_connect;
	const struct shape_reply r = { .site = str_of(week_names[j->site]),
		.provider = STR(""),
		.source = week_ip(s, j->j.source),
		.outcome = is_fine ? SHAPE_DELIVERED : SHAPE_DEFERRED,
		.phase = reply->phase,
		.text = reply->text != NULL ? str_of(reply->text) : STR(""),
		.reason = reply->reason,
		.is_throttle =
		    reply->code == 421 || reply->reason == REASON_RATE };
	struct shape_answer a = { 0 };

	shape_result(s->shape, &r, s->w.now_us, &a);
	return (struct core_result){
		.outcome = is_fine ? OUTCOME_DELIVERED : OUTCOME_DEFERRED,
		.feedback = reply->is_connect ? CORE_FB_CONNECT
		    : r.is_throttle	      ? CORE_FB_THROTTLE
					      : CORE_FB_OK,
		.delay_s = a.rule != NULL ? a.rule->requeue_s : 0,
		.retry_s = a.retry_s,
		.nretry = a.nretry,
	};
}

void
week_result(
    struct week *s, const struct week_job *j, const struct week_reply *reply)
{
	week_watch_told(s, j, reply);
	for (uint32_t i = 0; i < j->j.n; i++) {
		struct core_result c;
		struct core_verdict v;

		c = ask_shape(s, j, reply);
		assert_int_equal(
		    core_result(s->w.core, j->j.id, j->j.ordinal[i], &c, &v),
		    0);
	}
	if (reply->text == NULL && !reply->is_connect) {
		note_delivered(s, j);
	}
	s->shape_us = shape_expire(s->shape, s->w.now_us);
	while (recalls.n > 0) {
		week_deliver_recall(s, recalls.path[--recalls.n]);
	}
}

/* ---- mail --------------------------------------------------------------- */

static void
send(struct week *s, enum week_site site)
{
	struct core_message m = world_message(&s->w, 1 + week_random(s, 5));
	struct week_mail *mail = &s->mail[m.accept_lsn];
	/* Where recipients are limited. */
	uint32_t most = site == BLOCK_A || site == BLOCK_B ? WEEK_RCPTS : 1;

	assert_in_range(m.accept_lsn, 1, WEEK_MAIL - 1);
	m.class = (enum core_class)week_random(s, 3);
	m.expiry_s = world_now_s(&s->w) + LIFE_S;
	*mail = (struct week_mail){ .site = (uint8_t)site,
		.expiry_s = m.expiry_s,
		.nrcpt = (uint8_t)(1 + week_random(s, most)) };
	s->nmail++;
	s->sent += mail->nrcpt;
	(void)world_send(&s->w, &m, s->domain[site], mail->nrcpt);
}

static void
send_any(struct week *s)
{
	uint32_t luck = week_random(s, 100);
	unsigned site = 0;

	while (luck >= shares[site]) {
		luck -= shares[site++];
	}
	send(s, (enum week_site)site);
}

static void
send_bursts(struct week *s, uint32_t hour)
{
	for (size_t i = 0; i < array_len(bursts); i++) {
		for (uint32_t k = 0;
		     hour % 24 == bursts[i].hour && k < bursts[i].n; k++) {
			send(s, bursts[i].site);
		}
	}
}

static void
take_outputs(struct week *s)
{
	const struct core_out *o = &s->w.out;
	struct week_mail *m;

	while (world_next(&s->w)) {
		m = &s->mail[o->accept_lsn];
		switch (o->kind) {
		case CORE_EXPIRED:
			assert_int_equal(m->site, NEVER);
			assert_in_range(
			    world_now_s(&s->w) - m->expiry_s, 0, 3700);
			end_rcpt(s, (uint32_t)o->accept_lsn, o->ordinal);
			s->expired++;
			break;
		case CORE_MESSAGE_DONE:
			assert_int_equal(m->over, (1u << m->nrcpt) - 1);
			assert_int_equal(m->is_done, 0);
			m->is_done = 1;
			break;
		case CORE_SEGMENT_EMPTY:
			break;
		default:
			week_deliver_output(s);
			break;
		}
	}
}

/* ---- the week ----------------------------------------------------------- */

static void
set_limits(struct week *s)
{
	const struct core_limits account = { .max_conn = WEEK_ACCOUNT_JOBS,
		.rate_msgs = WEEK_ACCOUNT_RATE,
		.rate_s = 60,
		.burst = WEEK_ACCOUNT_BURST,
		.start_ms = 1000 };
	const struct core_limits source = { .max_conn = WEEK_SOURCE_CONNS };
	struct core_object o = { CORE_LEVEL_ACCOUNT, WEEK_ACCOUNT, 0 };

	assert_int_equal(core_limits_set(s->w.core, &o, &account), 0);
	o.level = CORE_LEVEL_SOURCE;
	for (o.index = 0; o.index < WEEK_SOURCES; o.index++) {
		assert_int_equal(
		    core_source_set(s->w.core, o.index, 0, true), 0);
		assert_int_equal(
		    core_source_address(s->w.core, o.index, o.index), 0);
		assert_int_equal(core_limits_set(s->w.core, &o, &source), 0);
		shape_source(s->shape, o.index, s->w.now_us);
	}
	assert_int_equal(
	    core_ceiling_set(s->w.core, WEEK_COLD, WEEK_CEILING), 0);
}

static void
start(struct week *s)
{
	struct shape_env env = { .arg = s,
		.changed = on_changed,
		.recall = on_recall,
		.sources = count_sources,
		.source_ip = week_ip };
	struct shaping *conf = NULL;
	struct buf why = { 0 };

	*s = (struct week){ .random = 4, .shape_us = UINT64_MAX };
	world_init(&s->w, NULL);
	s->w.is_silent = true;
	env.core = s->w.core;
	assert_int_equal(
	    shaping_parse("week.cf", str_of(week_conf), &conf, &why), 0);
	buf_fini(&why);
	s->shape = shape_new(conf, &env);
	s->deliver = week_deliver_new();
	s->watch = week_watch_new();
	set_limits(s);
	for (unsigned i = 0; i < WEEK_SITES; i++) {
		struct str name = str_of(week_names[i]);
		uint64_t now = s->w.now_us;

		s->domain[i] = core_domain(s->w.core, name);
		core_site_answer(s->w.core, s->domain[i], CORE_ANSWER_SITE,
		    shape_site(s->shape, name, now),
		    shape_provider(s->shape, name, STR(""), now), UINT32_MAX);
		shape_domain(s->shape, name, name, now);
	}
}

/* Jumps to what comes next, of core, shaping, deliver and senders. */
static void
pass(struct week *s, uint64_t next_us)
{
	uint64_t all[] = { core_wake_us(s->w.core), s->shape_us,
		week_deliver_wake_us(s) };

	for (size_t i = 0; i < array_len(all); i++) {
		next_us = all[i] < next_us ? all[i] : next_us;
	}
	world_pass(&s->w, next_us > s->w.now_us ? next_us - s->w.now_us : 1);
	if (s->w.now_us >= s->shape_us) {
		s->shape_us = shape_expire(s->shape, s->w.now_us);
	}
	week_deliver_run(s);
	week_watch_now(s);
}

static void
run(struct week *s)
{
	const uint64_t gap_us = 2 * 60 * 1000000ULL / SITE_PER_MIN;
	uint64_t end_us = WORLD_START_US + WEEK_DAYS * DAY_US;
	uint64_t mail_us = s->w.now_us;
	uint32_t hour = 0;

	while (s->w.now_us < end_us) {
		uint64_t hour_us = WORLD_START_US + hour * HOUR_US;

		if (s->w.now_us >= hour_us) {
			send_bursts(s, hour++);
			hour_us += HOUR_US;
		}
		if (s->w.now_us >= mail_us) {
			send_any(s);
			mail_us += week_random(s, (uint32_t)gap_us);
		}
		if (hour > SEND_HOURS) {
			hour_us = mail_us = end_us;
		}
		take_outputs(s);
		pass(s, mail_us < hour_us ? mail_us : hour_us);
	}
	take_outputs(s);
}

static void
check_recovery(const struct week *s, const struct recovery *r)
{
	uint32_t want = r->rate * 10 * r->percent / 100;
	uint32_t most = 0;

	for (uint32_t i = r->from_min / 10 + 1;
	     i < (r->from_min + r->within_min) / 10; i++) {
		uint32_t n = 0;

		for (unsigned k = r->first; k <= r->last; k++) {
			n += s->bins[k][i];
		}
		most = n > most ? n : most;
	}
	print_message("# after %s: up to %u in ten minutes, of %u\n", r->what,
	    most, r->rate * 10);
	assert_true(most >= want);
}

static void
stop(struct week *s)
{
	shape_free(&s->shape);
	week_watch_free(&s->watch);
	print_message("# %u messages, %u recipients, %u expired, at most %u "
		      "connections\n",
	    s->nmail, s->sent, s->expired, week_deliver_free(&s->deliver));
	world_fini(&s->w);
}

static void
test_shaping_a_week_exceeds_no_limit_leaves_all_sets_and_delivers_all(
    void **state)
{
	static struct week s;
	struct core_stats st;

	(void)state;
	start(&s);
	run(&s);
	core_stats_get(s.w.core, &st);
	assert_int_equal(st.messages, 0);
	assert_int_equal(s.delivered + s.expired, s.sent);
	for (uint32_t i = 1; i <= s.nmail; i++) {
		assert_int_equal(s.mail[i].is_done, 1);
	}
	week_watch_check(&s);
	for (size_t i = 0; i < array_len(recoveries); i++) {
		check_recovery(&s, &recoveries[i]);
	}
	stop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_shaping_a_week_exceeds_no_limit_leaves_all_sets_and_delivers_all),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
