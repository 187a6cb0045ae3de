/*
 * The servers of a week, each with its troubles. All of them keep an eye on
 * what the sender has stated (shaping_week_watch.c).
 */
#include "shaping_week.h"

static bool
is_within(const struct week *s, uint32_t from_h, uint32_t hours)
{
	uint64_t since = week_since_us(s);

	return since >= from_h * HOUR_US && since < (from_h + hours) * HOUR_US;
}

/* An hour of each day. */
static bool
is_daily(const struct week *s, uint32_t from_h, uint32_t hours)
{
	uint64_t hour = week_since_us(s) / HOUR_US % 24;

	return hour >= from_h && hour < from_h + hours;
}

/* How many SLOW takes at a time as it comes back; 0: any number. */
static uint32_t
slow_capacity(const struct week *s)
{
	if (is_within(s, SLOW_BACK_H, 2)) {
		return 1;
	}
	return is_within(s, SLOW_BACK_H + 2, 2) ? 2 : 0;
}

static bool
is_gone(const struct week *s, enum week_site site)
{
	switch (site) {
	case NEVER:
		return true;
	case OUTAGE:
		return is_within(
		    s, OUTAGE_FROM_H, OUTAGE_BACK_H - OUTAGE_FROM_H);
	case SLOW:
		return is_within(s, SLOW_FROM_H, SLOW_BACK_H - SLOW_FROM_H);
	default:
		return false;
	}
}

uint32_t
week_servers_latency_ms(struct week *s, enum week_site site)
{
	uint32_t luck = week_random(s, 50);

	if (site == HARSH) {
		return 5 + week_random(s, 900);
	}
	/* Some take longer than a rate lets a job wait. */
	return luck == 0 ? 200 + week_random(s, 1000) : 5 + week_random(s, 100);
}

bool
week_servers_connect(struct week *s, enum week_site site, uint32_t source,
    uint64_t given_us, struct week_reply *reply)
{
	uint32_t most = site == SLOW ? slow_capacity(s) : 0;

	*reply = (struct week_reply){ .phase = REPLY_CONNECT,
		.reason = REASON_CONNECTION,
		.is_connect = true };
	if (is_gone(s, site)) {
		week_watch_vain(s, site);
		return false;
	}
	week_watch_connect(s, site, source, given_us);
	if (most != 0 && week_watch_conns(s, SLOW) > most) {
		week_watch_disconnect(s, site, source);
		reply->code = 421;
		reply->text = "421 4.7.0 too many connections, come back";
		return false;
	}
	return true;
}

static void
refuse(struct week_reply *reply, unsigned code, enum reply_phase phase,
    enum reason reason, const char *text)
{
	reply->code = code;
	reply->phase = phase;
	reply->reason = reason;
	reply->text = text;
}

static void
answer(struct week *s, const struct week_job *j, uint32_t source,
    struct week_reply *reply)
{
	const struct week_mail *m = &s->mail[j->lsn];

	switch (j->site) {
	case GREY:
		if (world_now_s(&s->w) - m->first_s < 300) {
			refuse(reply, 450, REPLY_RCPT, REASON_GREYLIST,
			    "450 4.2.0 greylisted, come back");
		}
		break;
	case THROTTLE_A:
	case THROTTLE_B:
		if (is_daily(s, THROTTLE_FROM_H,
			THROTTLE_BACK_H - THROTTLE_FROM_H) &&
		    week_watch_had(s, j->site, 21)) {
			refuse(reply, 421, REPLY_MAIL, REASON_RATE,
			    "421 4.7.0 more than we want a minute");
		}
		break;
	case BLOCK_A:
	case BLOCK_B:
		if (source == 0 && is_within(s, BLOCK_FROM_H, 9)) {
			refuse(reply, 451, REPLY_MAIL, REASON_SPAM_IP,
			    "451 5.7.1 your address is blocked");
		}
		break;
	case BUSY:
		if (is_daily(s, 6, 2)) {
			refuse(reply, 451, REPLY_DOT, REASON_OTHER,
			    "451 4.3.0 not now");
		} else if (is_daily(s, 8, 2) && week_random(s, 5) == 0) {
			refuse(reply, 421, REPLY_MAIL, REASON_OTHER,
			    "421 4.3.2 closing");
		}
		break;
	case LIMIT:
		if (is_daily(s, 9, 1) && week_random(s, 20) == 0) {
			refuse(reply, 452, REPLY_DATA, REASON_OTHER,
			    "452 4.3.1 slow down");
		}
		break;
	case HARSH:
		if (is_daily(s, 18, 1)) {
			refuse(reply, 450, REPLY_MAIL, REASON_POLICY,
			    "450 4.7.1 go away");
		}
		break;
	default:
		break;
	}
}

void
week_servers_mail(struct week *s, const struct week_job *j, uint32_t source,
    unsigned nth, struct week_reply *reply)
{
	struct week_mail *m = &s->mail[j->lsn];
	uint32_t now_s = world_now_s(&s->w);

	m->first_s = m->first_s == 0 ? now_s : m->first_s;
	week_watch_mail(s, j, source, nth);
	*reply = (struct week_reply){ .takes_ms = 100 + week_random(s, 400) };
	if (j->site == OUTAGE || (j->site == SLOW && slow_capacity(s) != 0)) {
		reply->takes_ms = 3000;
	}
	answer(s, j, source, reply);
}
