/*
 * Transactions: MAIL, RCPT for each recipient, DATA, the content. With
 * PIPELINING all commands leave in one write (RFC 2920), else one by one.
 *
 * A recipient is decided by its own reply to RCPT when that refuses, by the
 * reply to MAIL or DATA when those refuse, and else by the reply to the
 * final dot. Nothing is delivered without a 2xx to a dot that was sent.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "esmtp.h"
#include "event.h"
#include "result.h"
#include "session.h"

/* ---- the end ------------------------------------------------------------ */

/* All recipients are decided: results, then what comes next. */
static void
finish(struct session *s)
{
	content_close(&s->tx.content);
	s->needs_rset = s->tx.is_mail_ok && !s->tx.is_data_ok;
	s->tx = (struct tx){ 0 };
	session_result(s);
	session_next(s);
}

/* What is undecided gets v, which is used up; the connection ends. */
static void
fail(struct session *s, struct verdict *v)
{
	job_decide(s->job, v);
	verdict_fini(v);
	s->must_close = true;
	finish(s);
}

/* The job is none the worse for it: another connection, as the next one. */
static void
give_back(struct session *s)
{
	struct job *j = s->job;

	for (unsigned i = 0; i < j->n_rcpts; i++) {
		j->rcpts[i].is_sent = false;
		j->rcpts[i].is_accepted = false;
		if (j->rcpts[i].verdict.outcome == OUTCOME_RETURNED) {
			verdict_fini(&j->rcpts[i].verdict);
		}
	}
	j->is_fresh = true;
	content_close(&s->tx.content);
	session_unbind(s);
	path_put_back(j);
	session_close(s);
}

/*
 * The connection failed before the server said anything about the message. A
 * reused one has simply grown old (the server closed it just before); a new
 * one is as good as an address that cannot be reached. True: dealt with.
 */
static bool
try_elsewhere(struct session *s, const struct verdict *v)
{
	if (s->uses > 1 && !s->job->is_fresh) {
		give_back(s);
		return true;
	}
	if (s->uses > 1 || !session_has_next_target(s)) {
		return false;
	}
	for (unsigned i = 0; i < s->job->n_rcpts; i++) {
		s->job->rcpts[i].is_sent = false;
	}
	verdict_fini(&s->failure);
	verdict_copy(&s->failure, v);
	s->failure.is_connect = CONNECT_FAILED;
	content_close(&s->tx.content);
	s->tx = (struct tx){ 0 };
	s->uses = 0;
	session_next_target(s);
	return true;
}

static void
protocol_failure(struct session *s)
{
	struct verdict v = { 0 };

	session_broken_verdict(s, BROKEN_PROTOCOL, &v);
	fail(s, &v);
}

/* ---- commands ----------------------------------------------------------- */

static void
send_mail(struct session *s)
{
	const struct job *j = s->job;
	char line[ESMTP_LINE_MAX];
	const struct esmtp_mail m = {
		.sender = j->mail_from,
		.size = job_size(j),
		.flags = j->flags,
		.is_utf8 = (j->flags & MESSAGE_UTF8) != 0 ||
		    esmtp_is_utf8(j->mail_from),
		.ret = j->ret,
		.env_id = j->env_id,
	};
	int n = esmtp_mail(line, &m, &s->ehlo);

	bug_on(n < 0); /* client_check has tried */
	session_command(s, line, (size_t)n);
}

static void
send_rcpt(struct session *s, struct job_rcpt *r)
{
	char line[ESMTP_LINE_MAX];
	const struct esmtp_rcpt m = {
		.address = r->address,
		.notify = r->notify,
		.orcpt = r->orcpt,
	};
	int n = esmtp_rcpt(line, &m, &s->ehlo);

	bug_on(n < 0); /* client_check has tried */
	session_command(s, line, (size_t)n);
	r->is_sent = true;
	s->tx.n_sent++;
}

static void
send_data(struct session *s)
{
	session_command(s, "DATA\r\n", 6);
}

static void
send_all(struct session *s)
{
	struct job *j = s->job;

	send_mail(s);
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		if (!j->rcpts[i].verdict.is_set) {
			send_rcpt(s, &j->rcpts[i]);
		}
	}
	send_data(s);
}

static void
begin_dialogue(struct session *s)
{
	bool with_rset = s->needs_rset;

	s->tx.is_pipelined = (s->ehlo.caps & EHLO_PIPELINING) != 0;
	s->needs_rset = false;
	s->facts.size = 0;
	if (with_rset) {
		session_command(s, "RSET\r\n", 6);
	}
	session_phase(s, with_rset ? PHASE_RSET : PHASE_MAIL);
	if (s->tx.is_pipelined) {
		send_all(s);
	} else if (!with_rset) {
		send_mail(s);
	}
}

/* ---- content ------------------------------------------------------------ */

static void
content_failure(struct session *s, int error, struct verdict *v)
{
	verdict_local(v, error == -ENOENT ? OUTCOME_DEFERRED : OUTCOME_DAMAGED,
	    REASON_CONFIG, "4.3.0", "Message content in segment %016llx: %s",
	    (unsigned long long)s->job->segid,
	    error == -EBADMSG ? "checksum does not agree" : strerror(-error));
}

/*
 * The dot is out. A reply that has begun before cannot be the reply to it,
 * but what became of the message is not known any more.
 */
static void
all_is_sent(struct session *s)
{
	transcript_sent(&s->transcript, STR("."));
	session_phase(s, PHASE_DOT);
	if (smtp_reply_is_partial(&s->parser)) {
		client_broken(s, BROKEN_PROTOCOL);
	}
}

/*
 * Hands content over until the socket is full. The final dot is on its way
 * only when nothing of the output is left here.
 */
static void
send_content(struct session *s)
{
	struct verdict v = { 0 };
	int r;

	do {
		r = content_send(s->tx.content, s->stream);
		if (r < 0) {
			content_failure(s, r, &v);
			fail(s, &v);
			return;
		}
		s->tx.is_all_queued = r == 1;
		stream_flush(s->stream);
	} while (r == 0 && stream_output(s->stream) == 0);
	s->facts.size = content_sent(s->tx.content);
	s->tx.output_left = stream_output(s->stream);
	s->is_settled = false;
	if (s->tx.is_all_queued && s->tx.output_left == 0) {
		all_is_sent(s);
	} else {
		/* Output that this turn's end sends is not reported. */
		content_resume(s->tx.content);
	}
}

void
client_drained(struct session *s)
{
	if (s->phase != PHASE_BODY || stream_output(s->stream) > 0) {
		return;
	}
	if (s->tx.is_all_queued) {
		all_is_sent(s);
	} else {
		send_content(s);
	}
}

bool
client_has_progress(struct session *s)
{
	size_t left = stream_output(s->stream);

	if (left >= s->tx.output_left) {
		return false;
	}
	s->tx.output_left = left;
	return true;
}

static void
begin_content(struct session *s)
{
	char note[64];

	s->tx.is_data_ok = true;
	(void)snprintf(note, sizeof(note), "[content, %llu bytes]",
	    (unsigned long long)job_size(s->job));
	transcript_sent(&s->transcript, str_of(note));
	s->expected++; /* the reply to the dot */
	session_phase(s, PHASE_BODY);
	send_content(s);
}

/* A big content is verified, or it is time to look at the output again. */
static void
on_content(void *arg, int status)
{
	struct session *s = arg;
	struct verdict v = { 0 };

	if (s->phase == PHASE_BODY) {
		client_drained(s);
	} else if (s->phase == PHASE_LOAD && status == 0) {
		begin_dialogue(s);
	} else if (s->phase == PHASE_LOAD) {
		/* Nothing was said yet: the connection is as good as before. */
		content_failure(s, status, &v);
		job_decide(s->job, &v);
		verdict_fini(&v);
		finish(s);
	}
	session_settle(s);
}

bool
client_begin(struct session *s, struct job *j)
{
	struct verdict v = { 0 };
	int r;

	s->job = j;
	j->session = s;
	j->state = JOB_STARTED;
	s->tx = (struct tx){ 0 };
	if (!client_check(s)) {
		session_result(s);
		return false;
	}
	r = content_open(j, on_content, s, &s->tx.content);
	if (r < 0 && r != -EINPROGRESS) {
		content_failure(s, r, &v);
		job_decide(j, &v);
		verdict_fini(&v);
		session_result(s);
		return false;
	}
	session_note_need(s);
	s->uses++;
	s->facts.conn_use =
	    s->uses > UINT16_MAX ? UINT16_MAX : (uint16_t)s->uses;
	if (r == -EINPROGRESS) {
		session_phase(s, PHASE_LOAD);
	} else {
		begin_dialogue(s);
	}
	return true;
}

/* ---- replies ------------------------------------------------------------ */

/* After MAIL was refused: with pipelining replies to the rest still come. */
static void
mail_refused(struct session *s, const struct smtp_reply *r)
{
	struct verdict v = { 0 };

	verdict_from_reply(&v, PHASE_MAIL, session_host(s), r);
	if (r->code == 421 && try_elsewhere(s, &v)) {
		verdict_fini(&v);
		return;
	}
	if (r->code == 421 || r->code / 100 == 3) {
		fail(s, &v);
		return;
	}
	job_decide(s->job, &v);
	verdict_fini(&v);
	if (s->tx.is_pipelined) {
		session_phase(s, PHASE_RCPT);
	} else {
		finish(s);
	}
}

static void
on_mail(struct session *s, const struct smtp_reply *r)
{
	s->facts.times.mail_ms = session_ms(s);
	if (r->code / 100 != 2) {
		mail_refused(s, r);
		return;
	}
	s->tx.is_mail_ok = true;
	session_phase(s, PHASE_RCPT);
	if (!s->tx.is_pipelined) {
		send_rcpt(s, job_next_rcpt(s->job));
	}
}

/* The recipient that this reply is about. */
static struct job_rcpt *
answered_rcpt(struct session *s)
{
	struct job *j = s->job;

	while (s->tx.answer_at < j->n_rcpts) {
		struct job_rcpt *r = &j->rcpts[s->tx.answer_at++];

		if (r->is_sent) {
			return r;
		}
	}
	bug_on(true);
	return NULL;
}

static void
after_rcpts(struct session *s)
{
	s->facts.times.rcpt_ms = session_ms(s);
	if (s->tx.is_pipelined) {
		session_phase(s, PHASE_DATA);
	} else if (s->tx.n_accepted > 0) {
		session_phase(s, PHASE_DATA);
		send_data(s);
	} else {
		finish(s);
	}
}

static void
on_rcpt(struct session *s, const struct smtp_reply *r)
{
	struct job_rcpt *to = answered_rcpt(s);
	struct verdict v = { 0 };

	s->tx.n_answered++;
	if (r->code == 421) {
		verdict_from_reply(&v, PHASE_RCPT, session_host(s), r);
		fail(s, &v);
		return;
	}
	if (r->code / 100 == 3) {
		protocol_failure(s);
		return;
	}
	if (!to->verdict.is_set && r->code / 100 == 2) {
		to->is_accepted = true;
		s->tx.n_accepted++;
	} else if (!to->verdict.is_set) {
		verdict_from_reply(
		    &to->verdict, PHASE_RCPT, session_host(s), r);
	}
	to = s->tx.is_pipelined ? NULL : job_next_rcpt(s->job);
	if (to != NULL) {
		send_rcpt(s, to);
		s->is_settled = false;
	} else if (s->tx.n_answered == s->tx.n_sent) {
		after_rcpts(s);
	}
}

/* RFC 2920 section 3.1: nobody is left, but the server wants content. */
static void
abort_data(struct session *s)
{
	s->tx.is_data_ok = true;
	session_command(s, ".\r\n", 3);
	session_phase(s, PHASE_ABORT);
}

static void
on_data(struct session *s, const struct smtp_reply *r)
{
	bool is_goahead = r->code / 100 == 3;
	bool is_refusal = is_goahead &&
	    esmtp_goahead_is_refusal((struct str){ r->text, r->text_len });
	struct verdict v = { 0 };

	s->facts.times.data_ms = session_ms(s);
	if (is_goahead && s->tx.n_accepted == 0) {
		abort_data(s);
	} else if (is_goahead && !is_refusal) {
		begin_content(s);
	} else if (is_goahead || r->code / 100 == 2) {
		/* No go-ahead that could be trusted: nothing is sent. */
		protocol_failure(s);
	} else if (r->code == 421) {
		verdict_from_reply(&v, PHASE_DATA, session_host(s), r);
		fail(s, &v);
	} else {
		verdict_from_reply(&v, PHASE_DATA, session_host(s), r);
		job_decide(s->job, &v);
		verdict_fini(&v);
		finish(s);
	}
}

/* Before the dot is out: only a refusal makes sense, and ends it. */
static void
on_early_reply(struct session *s, const struct smtp_reply *r)
{
	struct verdict v = { 0 };

	if (s->tx.is_all_queued && stream_output(s->stream) == 0) {
		session_phase(s, PHASE_DOT);
		return;
	}
	if (r->code < 400) {
		protocol_failure(s);
		return;
	}
	verdict_from_reply(&v, PHASE_DOT, session_host(s), r);
	fail(s, &v);
}

static void
on_dot(struct session *s, const struct smtp_reply *r)
{
	struct verdict v = { 0 };

	s->facts.times.data_ms += session_ms(s);
	if (r->code / 100 == 3) {
		client_broken(s, BROKEN_PROTOCOL);
		return;
	}
	verdict_from_reply(&v, PHASE_DOT, session_host(s), r);
	job_decide(s->job, &v);
	verdict_fini(&v);
	s->must_close = s->must_close || r->code == 421;
	finish(s);
}

static void
on_rset(struct session *s, const struct smtp_reply *r)
{
	struct verdict v = { 0 };

	if (r->code / 100 != 2) {
		verdict_from_reply(&v, PHASE_RSET, session_host(s), r);
		v.outcome = OUTCOME_DEFERRED;
		if (!try_elsewhere(s, &v)) {
			fail(s, &v);
			return;
		}
		verdict_fini(&v);
		return;
	}
	session_phase(s, PHASE_MAIL);
	if (!s->tx.is_pipelined) {
		send_mail(s);
	}
}

void
client_reply(struct session *s, const struct smtp_reply *r)
{
	if (s->phase == PHASE_BODY) {
		on_early_reply(s, r);
		if (s->phase != PHASE_DOT) {
			return;
		}
	}
	switch (s->phase) {
	case PHASE_RSET:
		on_rset(s, r);
		break;
	case PHASE_MAIL:
		on_mail(s, r);
		break;
	case PHASE_RCPT:
		on_rcpt(s, r);
		break;
	case PHASE_DATA:
		on_data(s, r);
		break;
	case PHASE_DOT:
		on_dot(s, r);
		break;
	default: /* PHASE_ABORT: everybody is decided already */
		finish(s);
		break;
	}
}

/* ---- the connection ended ----------------------------------------------- */

void
client_broken(struct session *s, enum broken how)
{
	struct verdict v = { 0 };

	if (s->phase == PHASE_LOAD && !s->job->is_fresh) {
		give_back(s);
		return;
	}
	if (s->phase == PHASE_BODY && s->tx.is_all_queued &&
	    stream_output(s->stream) == 0) {
		s->phase = PHASE_DOT;
	}
	session_broken_verdict(s, how, &v);
	if ((s->phase == PHASE_RSET || s->phase == PHASE_MAIL) &&
	    how == BROKEN_LOST && try_elsewhere(s, &v)) {
		verdict_fini(&v);
		return;
	}
	if (s->phase == PHASE_DOT) {
		/* RFC 1047: the server may have taken the message. */
		v.outcome = OUTCOME_UNCERTAIN;
	}
	fail(s, &v);
}
