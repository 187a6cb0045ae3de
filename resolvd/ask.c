#include "ask.h"

#include <stdio.h>
#include <string.h>

#include <unbound-event.h>
#include <unbound.h>

#include "ask_config.h"
#include "clock.h"
#include "log.h"
#include "service.h"

#define CLASS_IN 1
#define RCODE_SERVFAIL 2
#define SECURITY_BOGUS 1
#define SECURITY_SECURE 2

/* So many questions in a row without an answer: the servers are gone. */
#define SILENT_MAX 10

static TAILQ_HEAD(, ask) by_time = TAILQ_HEAD_INITIALIZER(by_time);
static TAILQ_HEAD(, ask) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static struct ub_ctx *ctx;
static struct loop_timer *timer; /* for the head of by_time */
static uint64_t n_sent;
static unsigned n_silent;
static char anchor[DOMAIN_NAME_MAX + 1];

static void pump(void);

bool
ask_has_dnssec(void)
{
	return anchor[0] != '\0';
}

const char *
ask_anchor(void)
{
	return anchor;
}

/* ---- answers ------------------------------------------------------------ */

static void
deliver(void *arg)
{
	struct ask *a = arg;

	pump();
	a->fn(a->arg);
}

static void
leave(struct ask *a)
{
	if (a->state == ASK_WAITING) {
		TAILQ_REMOVE(&waiting, a, link);
	}
	if (a->state == ASK_SENT) {
		n_sent--;
	}
	TAILQ_REMOVE(&by_time, a, by_time);
}

static void
finish(struct ask *a, enum answer_status status)
{
	leave(a);
	a->state = ASK_ANSWERED;
	a->answer.status = status;
	loop_defer(&a->defer, deliver, a);
}

static void
fail(struct ask *a, const char *reason)
{
	(void)str_safe(
	    a->answer.reason, sizeof(a->answer.reason), str_of(reason));
	finish(a, ANSWER_TEMPORARY);
}

static void
fail_rcode(struct ask *a, int rcode)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "answered with RCODE %d", rcode);
	fail(a, rcode == RCODE_SERVFAIL ? "server failure" : text);
}

static void
note_silence(bool is_silent)
{
	if (!is_silent && n_silent >= SILENT_MAX) {
		log_info("the name servers answer again");
	}
	n_silent = is_silent ? n_silent + 1 : 0;
	if (n_silent == SILENT_MAX) {
		log_warn("the name servers do not answer: mail waits; check "
			 "dns_servers");
	}
}

static enum answer_status
status_of(const struct packet *k)
{
	switch (k->status) {
	case PACKET_DATA:
		return ANSWER_DATA;
	case PACKET_NODATA:
		return ANSWER_NODATA;
	case PACKET_NXDOMAIN:
		return ANSWER_NXDOMAIN;
	case PACKET_FAILED:
		break;
	}
	return ANSWER_TEMPORARY;
}

/*
 * libunbound calls this from the loop, or from within ub_resolve_event for
 * what it knows. rcode 0 says nothing yet: NXDOMAIN and a cached SERVFAIL
 * stand in the packet only, and with another rcode there is no packet.
 */
static void
on_answer(void *arg, int rcode, void *packet, int len, int security,
    char *why_bogus, int was_limited)
{
	struct ask *a = arg;

	(void)was_limited;
	clock_update();
	if (rcode != 0) { /* perhaps of libunbound itself */
		fail_rcode(a, rcode);
		return;
	}
	note_silence(false);
	if (security == SECURITY_BOGUS) {
		fail(a,
		    why_bogus != NULL ? why_bogus : "DNSSEC validation failed");
		return;
	}
	if (len < 0 ||
	    packet_parse(packet, (size_t)len,
		strcmp(a->name, ".") == 0 ? "" : a->name, a->type,
		&a->answer.packet) < 0) {
		fail(a, "the answer is malformed");
		return;
	}
	if (a->answer.packet.status == PACKET_FAILED) {
		fail_rcode(a, a->answer.packet.rcode);
		return;
	}
	a->answer.is_secure = security == SECURITY_SECURE;
	finish(a, status_of(&a->answer.packet));
}

/* ---- questions ---------------------------------------------------------- */

static void
send(struct ask *a)
{
	int e;

	TAILQ_REMOVE(&waiting, a, link);
	a->state = ASK_SENT;
	n_sent++;
	e = ub_resolve_event(
	    ctx, a->name, a->type, CLASS_IN, a, on_answer, &a->id);
	if (e != 0 && a->state == ASK_SENT) {
		fail(a, ub_strerror(e));
	}
}

static void
pump(void)
{
	struct ask *a;

	while (n_sent < conf()->dns_question_limit &&
	    (a = TAILQ_FIRST(&waiting)) != NULL) {
		send(a);
	}
}

static void
arm(void)
{
	const struct ask *a = TAILQ_FIRST(&by_time);
	uint64_t now = clock_mono_us();

	if (a != NULL) {
		loop_timer_arm(
		    timer, a->deadline_us > now ? a->deadline_us - now : 0);
	}
}

static void
on_timer(void *arg)
{
	struct ask *a;
	char reason[64];

	(void)arg;
	(void)snprintf(reason, sizeof(reason), "no answer within %llu s",
	    (unsigned long long)(conf()->dns_timeout / US_PER_S));
	while ((a = TAILQ_FIRST(&by_time)) != NULL &&
	    a->deadline_us <= clock_mono_us()) {
		if (a->state == ASK_SENT) {
			(void)ub_cancel(ctx, a->id);
			note_silence(true);
		}
		fail(a, reason);
	}
	arm();
}

/* A backslash would begin an escape in libunbound's text form. */
static bool
is_askable(const char *name)
{
	size_t len = strlen(name);
	size_t label = 0;

	if (strcmp(name, ".") == 0) {
		return true;
	}
	if (len == 0 || len > DOMAIN_NAME_MAX) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		label = name[i] == '.' ? 0 : label + 1;
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '\\' ||
		    label > DOMAIN_LABEL_MAX ||
		    (name[i] == '.' && (i == 0 || name[i - 1] == '.'))) {
			return false;
		}
	}
	return name[len - 1] != '.';
}

void
ask_start(struct ask *a, const char *name, uint16_t type, ask_fn *fn, void *arg)
{
	ask_end(a);
	*a = (struct ask){ .fn = fn,
		.arg = arg,
		.type = type,
		.state = ASK_WAITING,
		.deadline_us = clock_mono_us() + conf()->dns_timeout };
	if (!is_askable(name)) {
		a->state = ASK_ANSWERED;
		a->answer.status = ANSWER_NXDOMAIN;
		loop_defer(&a->defer, deliver, a);
		return;
	}
	str_copy(a->name, sizeof(a->name), str_of(name));
	TAILQ_INSERT_TAIL(&waiting, a, link);
	TAILQ_INSERT_TAIL(&by_time, a, by_time);
	if (!loop_timer_is_armed(timer)) {
		arm();
	}
	pump();
}

void
ask_end(struct ask *a)
{
	switch (a->state) {
	case ASK_IDLE:
		return;
	case ASK_SENT:
		(void)ub_cancel(ctx, a->id);
		leave(a);
		pump();
		break;
	case ASK_WAITING:
		leave(a);
		break;
	case ASK_ANSWERED:
		loop_defer_cancel(&a->defer);
		break;
	}
	packet_fini(&a->answer.packet);
	a->state = ASK_IDLE;
}

void
ask_init(void)
{
	timer = loop_timer_new(on_timer, NULL);
	ctx = ask_config_open(anchor);
}

void
ask_fini(void)
{
	bug_on(!TAILQ_EMPTY(&by_time));
	ub_ctx_delete(ctx);
	ctx = NULL;
	loop_timer_free(&timer);
}
