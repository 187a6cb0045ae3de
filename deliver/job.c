#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "log.h"
#include "next_hop.h"
#include "passed_files.h"
#include "plog.h"
#include "route.h"
#include "tls_table.h"

/* A recipient in the message: u16 ordinal, u32 attempt. */
#define RCPT_BYTES 6

struct job_list jobs_all = TAILQ_HEAD_INITIALIZER(jobs_all);

static int
by_ordinal(const void *a, const void *b)
{
	const struct job_rcpt *x = a;
	const struct job_rcpt *y = b;

	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static void
read_rcpts(struct job *j, struct str blob)
{
	const uint8_t *p = (const uint8_t *)blob.p;

	for (unsigned i = 0; i < j->n_rcpts; i++, p += RCPT_BYTES) {
		j->rcpts[i].ordinal = (uint16_t)(p[0] | p[1] << 8);
		j->rcpts[i].attempt = (uint32_t)p[2] | (uint32_t)p[3] << 8 |
		    (uint32_t)p[4] << 16 | (uint32_t)p[5] << 24;
	}
	qsort(j->rcpts, j->n_rcpts, sizeof(*j->rcpts), by_ordinal);
}

static struct str
copy(char **to, struct str from)
{
	struct str s = { *to, from.len };

	if (from.len > 0) {
		memcpy(*to, from.p, from.len);
	}
	*to += from.len;
	return s;
}

/* Finds the addresses of the job's recipients among those of the message. */
static int
find_addresses(struct job *j, struct str rcpts)
{
	struct event_rcpt r;
	unsigned n = 0;

	for (unsigned i = 0; n < j->n_rcpts && event_rcpt_next(&rcpts, &r);
	     i++) {
		if (j->rcpts[n].ordinal == i) {
			j->rcpts[n].address = r.address;
			j->rcpts[n].orcpt = r.orcpt;
			j->rcpts[n].notify = r.notify;
			n++;
		}
	}
	return n == j->n_rcpts ? 0 : -EBADMSG;
}

/*
 * The message's id in the record must be the one that qmgr means: a segment
 * that was reused by mistake must never send one tenant's mail as another's.
 */
static int
read_record(struct job *j, uint64_t off)
{
	struct event_accepted a;
	struct plog_record r;
	int fd = passed_files_get(j->segid, false);
	int e;

	if (fd < 0) {
		return -ENOENT;
	}
	e = plog_read_record(fd, j->segid, off, &j->rec, &r);
	if (e < 0) {
		return e;
	}
	if (r.type != EVENT_accepted ||
	    event_decode(r.type, r.rec.p, r.rec.len, &a) < 0 ||
	    !uuid_eq(&a.msgid, &j->msgid)) {
		return -EBADMSG;
	}
	j->flags = a.flags;
	j->env_id = a.env_id;
	j->ret = a.ret;
	j->big_file = a.big_file;
	j->big_len = a.big_file != 0 ? a.big_len : 0;
	j->big_crc = a.big_crc;
	return find_addresses(j, a.rcpts);
}

static void
load(struct job *j, uint64_t rec_off)
{
	struct verdict v = { 0 };
	int e = read_record(j, rec_off);

	if (e == 0) {
		return;
	}
	j->is_damaged = true;
	verdict_local(&v, e == -ENOENT ? OUTCOME_DEFERRED : OUTCOME_DAMAGED,
	    REASON_CONFIG, "4.3.0", "Message record in segment %016llx: %s",
	    (unsigned long long)j->segid,
	    e == -EBADMSG ? "checksum or id does not agree" : strerror(-e));
	job_decide(j, &v);
	verdict_fini(&v);
}

struct tls_policy
job_policy(const struct ipc_job *m, uint32_t flags)
{
	struct str hop = m->next_hop;
	struct tls_policy p = tls_policy_decide(
	    m->tls_policy, tls_table_find(m->next_hop, m->site), flags);

	if (next_hop_take_smtps(&hop)) {
		tls_policy_smtps(&p);
	}
	if (m->auth_user.len > 0 && p.level < TLS_ENCRYPT) {
		/* RFC 4954 section 4: a password needs TLS around it. */
		p.level = TLS_ENCRYPT;
		p.name = "encrypt";
		p.source = "auth";
	}
	return p;
}

struct job *
job_new(const struct ipc_job *m)
{
	unsigned n = (unsigned)(m->rcpts.len / RCPT_BYTES);
	size_t size = sizeof(struct job) + n * sizeof(struct job_rcpt);
	struct job *j;
	char *text;

	if (n == 0 || m->rcpts.len % RCPT_BYTES != 0) {
		return NULL;
	}
	j = mem_alloc(size + m->next_hop.len + m->mail_from.len +
	    m->auth_user.len + m->auth_password.len);
	j->rcpts = (struct job_rcpt *)(void *)(j + 1);
	text = (char *)j + size;
	j->next_hop = copy(&text, m->next_hop);
	j->mail_from = copy(&text, m->mail_from);
	j->auth_user = copy(&text, m->auth_user);
	j->auth_password = copy(&text, m->auth_password);
	j->is_fixed = m->is_fixed != 0;
	j->id = m->job;
	j->msgid = m->msgid;
	j->segid = m->segid;
	j->content_off = m->content_off;
	j->content_len = m->content_len;
	j->content_crc = m->content_crc;
	j->n_rcpts = n;
	j->arrived_us = clock_mono_us();
	j->open_us =
	    m->open_ms != 0 ? j->arrived_us + m->open_ms * US_PER_MS : 0;
	j->start_us =
	    m->start_ms != 0 ? j->arrived_us + m->start_ms * US_PER_MS : 0;
	read_rcpts(j, m->rcpts);
	load(j, m->rec_off);
	j->policy = job_policy(m, j->flags);
	TAILQ_INSERT_TAIL(&jobs_all, j, all);
	return j;
}

void
job_free(struct job **jp)
{
	struct job *j = *jp;

	if (j == NULL) {
		return;
	}
	*jp = NULL;
	bug_on(j->state != JOB_NEW);
	TAILQ_REMOVE(&jobs_all, j, all);
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		verdict_fini(&j->rcpts[i].verdict);
	}
	route_release(&j->route);
	buf_fini(&j->rec);
	if (j->auth_password.len > 0) {
		explicit_bzero((char *)(uintptr_t)j->auth_password.p,
		    j->auth_password.len);
	}
	free(j);
}

bool
job_is_late(const struct job *j)
{
	return j->start_us != 0 && clock_mono_us() > j->start_us;
}

uint64_t
job_size(const struct job *j)
{
	return (uint64_t)j->content_len + j->big_len;
}

void
job_decide(struct job *j, const struct verdict *v)
{
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		if (!j->rcpts[i].verdict.is_set) {
			verdict_copy(&j->rcpts[i].verdict, v);
		}
	}
}

struct job_rcpt *
job_next_rcpt(struct job *j)
{
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		if (!j->rcpts[i].verdict.is_set && !j->rcpts[i].is_sent) {
			return &j->rcpts[i];
		}
	}
	return NULL;
}
