#include "spf.h"

#include <string.h>

#include "clock.h"
#include "log.h"
#include "service.h"
#include "spf_eval.h"

static TAILQ_HEAD(, spf) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static uint64_t n_cages;

static void run_waiting(void);

/* ---- the end ------------------------------------------------------------ */

static void
leave_cage(struct spf *s)
{
	if (s->is_waiting) {
		TAILQ_REMOVE(&waiting, s, link);
		s->is_waiting = false;
	}
	if (s->has_cage) {
		s->has_cage = false;
		n_cages--;
		run_waiting();
	}
}

static void
stop(struct spf *s)
{
	loop_defer_cancel(&s->defer);
	loop_timer_free(&s->timer);
	ask_end(&s->ask);
	address_end(&s->own);
	cage_end(&s->cage);
	leave_cage(s);
	spf_table_fini(&s->table);
}

static void
tell(void *arg)
{
	struct spf *s = arg;

	s->fn(s->arg);
}

/* The result is set. */
static void
finish(struct spf *s)
{
	stop(s);
	loop_defer(&s->defer, tell, s);
}

static void
on_timeout(void *arg)
{
	struct spf *s = arg;

	check_set(&s->result, CHECK_TEMPORARY,
	    "the SPF record of %s could not be evaluated in time", s->domain);
	finish(s);
}

/* ---- rounds ------------------------------------------------------------- */

static void
set_verdict(struct spf *s, const struct spf_outcome *o)
{
	const char *name = spf_verdict_name(o->verdict);

	if (o->verdict == SPF_PASS) {
		check_set(&s->result, CHECK_OK, "%s may send for %s",
		    s->ip_text, s->domain);
	} else if (o->verdict == SPF_TEMPERROR) {
		check_set(&s->result, CHECK_TEMPORARY, "SPF of %s for %s: %s",
		    s->domain, s->ip_text, o->text[0] != '\0' ? o->text : name);
	} else if (o->verdict == SPF_PERMERROR) {
		check_set(&s->result, CHECK_WRONG,
		    "the v=spf1 record at %s cannot be used: %s", s->domain,
		    o->text[0] != '\0' ? o->text : name);
	} else if (spf_table_cuts_labels(&s->table)) {
		check_set(&s->result, CHECK_SKIPPED,
		    "the v=spf1 record at %s uses macros that cannot be "
		    "checked here",
		    s->domain);
	} else {
		check_set(&s->result, CHECK_WRONG,
		    "the v=spf1 record at %s gives %s for %s", s->domain, name,
		    s->ip_text);
	}
}

static void
on_extra_answer(void *arg)
{
	struct spf *s = arg;

	spf_table_add(&s->table, s->ask.name, s->ask.type, &s->ask.answer);
	ask_end(&s->ask);
	s->is_waiting = true;
	TAILQ_INSERT_TAIL(&waiting, s, link);
	run_waiting();
}

/* What comes out of the cage is as hostile as what went in. */
static bool
is_new_question(const struct spf *s, const struct spf_outcome *o)
{
	switch (o->type) {
	case PACKET_A:
	case PACKET_AAAA:
	case PACKET_MX:
	case PACKET_PTR:
	case PACKET_TXT:
		return spf_table_find(&s->table, o->name, o->type) == NULL;
	default:
		return false;
	}
}

static void
ask_more(struct spf *s, const struct spf_outcome *o)
{
	size_t len = strlen(o->name);

	if (++s->n_questions > conf()->spf_question_limit) {
		check_set(&s->result, CHECK_WRONG,
		    "the v=spf1 record at %s needs too many questions",
		    s->domain);
		finish(s);
		return;
	}
	if (len > 0 && o->name[len - 1] == '.') {
		char name[DOMAIN_NAME_MAX + 1];

		str_copy(name, sizeof(name), (struct str){ o->name, len - 1 });
		ask_start(&s->ask, name, o->type, on_extra_answer, s);
	} else {
		ask_start(&s->ask, o->name, o->type, on_extra_answer, s);
	}
}

static void
on_outcome(void *arg, struct str result)
{
	struct spf *s = arg;
	struct spf_outcome o;

	leave_cage(s);
	if (spf_outcome_take(result, &o) < 0 ||
	    (o.verdict == SPF_QUESTION && !is_new_question(s, &o))) {
		log_warn(
		    "%s: evaluation of SPF ended without a result", s->domain);
		check_set(&s->result, CHECK_TEMPORARY,
		    "the v=spf1 record at %s could not be evaluated",
		    s->domain);
		finish(s);
	} else if (o.verdict == SPF_QUESTION) {
		ask_more(s, &o);
	} else {
		set_verdict(s, &o);
		finish(s);
	}
}

static void
evaluate(const void *arg, struct buf *out)
{
	const struct spf *s = arg;
	struct spf_job job = { .table = &s->table,
		.ip = s->ip,
		.sender = s->sender,
		.own = conf()->myhostname };
	struct spf_outcome o;

	spf_eval(&job, &o);
	spf_outcome_put(&o, out);
}

static void
run_waiting(void)
{
	struct spf *s;

	while (n_cages < conf()->spf_process_limit &&
	    (s = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, s, link);
		s->is_waiting = false;
		s->has_cage = true;
		n_cages++;
		cage_start(&s->cage,
		    &(struct cage_task){ .work = evaluate,
			.arg = s,
			.time_us = conf()->spf_process_time,
			.result_max = SPF_RESULT_MAX },
		    on_outcome, s);
	}
}

/* ---- the record and the address ----------------------------------------- */

/* There is exactly one record: the address is known, begin. */
static void
on_own_address(void *arg)
{
	struct spf *s = arg;

	if (s->own.status == DNS_OK) {
		s->ip = s->own.list[0];
		plan_address_print(&s->ip, s->ip_text);
		s->is_waiting = true;
		TAILQ_INSERT_TAIL(&waiting, s, link);
		run_waiting();
		return;
	}
	check_set(&s->result,
	    s->own.status == DNS_TEMPORARY ? CHECK_TEMPORARY : CHECK_SKIPPED,
	    "there is a v=spf1 record at %s, but no address to check it for: "
	    "set inet_interfaces_out",
	    s->domain);
	finish(s);
}

static void
on_record(void *arg)
{
	struct spf *s = arg;

	if (!check_spf(&s->ask.answer, s->domain, &s->result)) {
		finish(s);
		return;
	}
	spf_table_add(&s->table, s->domain, PACKET_TXT, &s->ask.answer);
	ask_end(&s->ask);
	address_start(&s->own,
	    s->ip_text[0] != '\0' ? s->ip_text : conf()->myhostname,
	    on_own_address, s);
}

void
spf_start(
    struct spf *s, const char *sender, struct str ip, spf_fn *fn, void *arg)
{
	const char *at = strrchr(sender, '@');

	spf_end(s);
	*s = (struct spf){ .fn = fn, .arg = arg };
	str_copy(s->sender, sizeof(s->sender), str_of(sender));
	str_copy(s->ip_text, sizeof(s->ip_text), ip);
	if (!conf()->spf_check || at == NULL ||
	    domain_to_ascii(
		at + 1, strlen(at + 1), 0, s->domain, sizeof(s->domain)) < 0) {
		check_set(&s->result, CHECK_SKIPPED, "not checked");
		finish(s);
		return;
	}
	s->timer = loop_timer_new(on_timeout, s);
	loop_timer_arm(s->timer, conf()->spf_timeout);
	ask_start(&s->ask, s->domain, PACKET_TXT, on_record, s);
}

void
spf_end(struct spf *s)
{
	stop(s);
}
