/*
 * sign_req: from the channel to a thread and back. A request for a domain
 * that is not known waits as long as accountd has not named all keys; its
 * sender has a deadline of its own.
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "loop.h"
#include "service.h"
#include "sign.h"
#include "signd.h"

/* No longer than a client would wait for its answer. */
#define WAIT_US (10 * US_PER_S)

struct request {
	struct pool_job job;
	struct request *next;
	struct request **prev;
	struct peer *peer; /* NULL: gone */
	uint32_t id;
	uint32_t account;
	struct str domain; /* into packet */
	struct sign_input in;
	struct sign_output out;
	int status;
	uint8_t *packet; /* domain, hash and header */
};

static struct request *requests; /* all */
static size_t n_requests;
static struct request *waiting;	 /* of these, for accountd; by job.next */
static struct loop_timer *timer; /* when they have waited enough */

/* The list by job.next holds struct pool_job, each inside a request. */
static struct request *
of_job(struct pool_job *job)
{
	return job == NULL ? NULL : container_of(job, struct request, job);
}

static void
request_free(struct request *r)
{
	n_requests--;
	*r->prev = r->next;
	if (r->next != NULL) {
		r->next->prev = r->prev;
	}
	for (size_t i = 0; i < BINDING_KEYS; i++) {
		key_unref(r->in.keys[i]);
	}
	if (r->in.fd >= 0) {
		close(r->in.fd);
	}
	buf_fini(&r->out.fields);
	free(r->packet);
	free(r);
	signd_check_drained();
}

static void
answer(struct request *r, int status)
{
	struct ipc_sign_rep rep = { .status = (uint32_t)-status };

	if (status == 0) {
		rep.fields = buf_str(&r->out.fields);
	}
	if (r->peer != NULL) {
		/* A peer that does not take it is about to be dropped. */
		(void)peer_send(r->peer, IPC_sign_rep, r->id, &rep);
	}
	request_free(r);
}

static void
work(struct pool_job *job)
{
	struct request *r = of_job(job);

	r->status = sign_message(&r->in, &r->out);
}

static void
report(const struct request *r)
{
	char domain[256];

	str_safe(domain, sizeof(domain), r->domain);
	if (r->out.bad_key != NULL) {
		log_error("key %s of %s cannot sign: %s%s%s",
		    r->out.bad_key->selector, domain,
		    strerror(-r->out.bad_key_error),
		    r->out.why[0] != '\0' ? ": " : "", r->out.why);
	}
	if (r->out.sample_failed) {
		log_error("a signature of %s does not verify: %s", domain,
		    r->out.why);
	}
	if (r->status < 0 && r->status != -ENOKEY) {
		log_warn("domain=%s, account=%u, status=failed (%s)", domain,
		    r->account, strerror(-r->status));
	}
}

static void
done(struct pool_job *job)
{
	struct request *r = of_job(job);

	if (job->is_cancelled) {
		answer(r, -ECANCELED);
		return;
	}
	report(r);
	answer(r, r->status);
}

static void
start(struct request *r)
{
	struct binding *b = NULL;
	int error = keyring_find(signd.ring, r->account, r->domain, &b);

	if (error < 0) {
		char domain[256];

		log_warn("domain=%s, account=%u, status=refused (%s)",
		    str_safe(domain, sizeof(domain), r->domain), r->account,
		    error == -EACCES ? "the domain is another account's"
				     : "no key signs for the domain");
		answer(r, error);
		return;
	}
	for (size_t i = 0; i < BINDING_KEYS; i++) {
		r->in.keys[i] = b->keys[i];
		if (b->keys[i] != NULL) {
			key_ref(b->keys[i]);
		}
	}
	r->job.work = work;
	r->job.done = done;
	pool_run(signd.pool, &r->job);
}

static struct request *
request_new(struct peer *p, uint32_t id, const struct ipc_sign_req *m)
{
	struct request *r = mem_alloc(sizeof(*r));
	uint8_t *at =
	    mem_alloc(m->domain.len + DKIM_HASH_LEN + m->header.len + 1);

	r->packet = at;
	r->peer = p;
	r->id = id;
	r->account = m->account;
	memcpy(at, m->domain.p, m->domain.len);
	r->domain = (struct str){ (char *)at, m->domain.len };
	at += m->domain.len;
	memcpy(at, m->body_hash.p, DKIM_HASH_LEN);
	r->in.body_hash = at;
	at += DKIM_HASH_LEN;
	memcpy(at, m->header.p, m->header.len);
	r->in.header = (struct str){ (char *)at, m->header.len };
	r->in.ring = signd.ring;
	r->in.fd = -1;
	r->in.use_opendkim = strcmp(conf()->dkim_signer, "opendkim") == 0;
	r->in.time_s = clock_wall_us() / US_PER_S;
	r->next = requests;
	r->prev = &requests;
	if (requests != NULL) {
		requests->prev = &r->next;
	}
	requests = r;
	n_requests++;
	return r;
}

static void
answer_waiting(int status)
{
	struct request *r = waiting;

	waiting = NULL;
	while (r != NULL) {
		struct request *next = of_job(r->job.next);

		answer(r, status);
		r = next;
	}
}

static void
on_timer(void *arg)
{
	(void)arg;
	answer_waiting(-EAGAIN);
}

static void
wait_for_accountd(struct request *r)
{
	r->job.next = waiting != NULL ? &waiting->job : NULL;
	waiting = r;
	if (timer == NULL) {
		timer = loop_timer_new(on_timer, NULL);
	}
	if (!loop_timer_is_armed(timer)) {
		loop_timer_arm(timer, WAIT_US);
	}
}

void
requests_on_sign(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_sign_req *m = msg;
	struct ipc_sign_rep refusal = { .status = 0 };
	struct binding *b;
	struct request *r;

	if (m->body_hash.len != DKIM_HASH_LEN || m->header.len == 0 ||
	    m->domain.len == 0) {
		refusal.status = EINVAL;
	} else if (n_requests >= conf()->dkim_queue_limit) {
		refusal.status = EAGAIN;
	}
	if (refusal.status != 0) {
		(void)peer_send(p, IPC_sign_rep, id, &refusal);
		return;
	}
	r = request_new(p, id, m);
	r->in.fd = peer_take_fd(p);
	if (!signd.knows_all &&
	    keyring_find(signd.ring, r->account, r->domain, &b) < 0) {
		wait_for_accountd(r);
		return;
	}
	start(r);
}

void
requests_retry(void)
{
	struct request *r = waiting;

	waiting = NULL;
	while (r != NULL) {
		struct request *next = of_job(r->job.next);

		start(r);
		r = next;
	}
}

void
requests_peer_down(struct peer *p)
{
	for (struct request *r = requests; r != NULL; r = r->next) {
		if (r->peer == p) {
			r->peer = NULL;
		}
	}
}

void
requests_stop(void)
{
	answer_waiting(-ECANCELED);
	loop_timer_free(&timer);
}
