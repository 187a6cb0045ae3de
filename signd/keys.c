/*
 * Key pairs are made, put to use and forgotten as accountd says.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "log.h"
#include "service.h"
#include "signd.h"

/* One file operation: a key to make, or keys to delete. */
struct task {
	struct pool_job job;
	struct task *next;
	struct task **prev;
	struct peer *peer; /* asked for a key; NULL: gone */
	uint32_t id;
	enum dkim_algorithm algorithm;
	char *domain;
	char *selectors[BINDING_KEYS];
	int status;
	char record[KEYFILE_RECORD_MAX];
};

static struct task *tasks;

static struct task *
of_job(struct pool_job *job)
{
	return container_of(job, struct task, job);
}

static void
task_free(struct task *t)
{
	*t->prev = t->next;
	if (t->next != NULL) {
		t->next->prev = t->prev;
	}
	free(t->domain);
	for (size_t i = 0; i < BINDING_KEYS; i++) {
		free(t->selectors[i]);
	}
	free(t);
	signd_check_drained();
}

static struct task *
task_new(struct str domain, struct str selector1, struct str selector2)
{
	struct task *t = mem_alloc(sizeof(*t));

	t->domain = str_dup(domain);
	t->selectors[0] = str_dup(selector1);
	t->selectors[1] = str_dup(selector2);
	t->next = tasks;
	t->prev = &tasks;
	if (tasks != NULL) {
		tasks->prev = &t->next;
	}
	tasks = t;
	return t;
}

static void
work_make(struct pool_job *job)
{
	struct task *t = of_job(job);
	EVP_PKEY *key = NULL;

	t->status = keyfile_make(
	    AT_FDCWD, t->domain, t->selectors[0], t->algorithm, &key);
	if (t->status == 0) {
		t->status = keyfile_record(key, t->record);
		EVP_PKEY_free(key);
	}
}

static void
done_make(struct pool_job *job)
{
	struct task *t = of_job(job);
	struct ipc_key_make_rep rep = { .status = 0 };

	if (job->is_cancelled) {
		t->status = -ECANCELED;
	}
	rep.status = (uint32_t)-t->status;
	rep.record = str_of(t->record);
	if (t->status < 0) {
		log_error("cannot make key %s of %s: %s", t->selectors[0],
		    t->domain, strerror(-t->status));
	} else {
		log_info("key %s of %s is ready", t->selectors[0], t->domain);
	}
	if (t->peer != NULL) {
		/* A peer that does not take it is about to be dropped. */
		(void)peer_send(t->peer, IPC_key_make_rep, t->id, &rep);
	}
	task_free(t);
}

static bool
is_plain(struct str s)
{
	return s.len == 0 || memchr(s.p, '\0', s.len) == NULL;
}

void
keys_on_make(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_key_make_req *m = msg;
	struct task *t;

	if (!is_plain(m->domain) || !is_plain(m->selector) ||
	    (!str_is(m->algorithm, "rsa-sha256") &&
		!str_is(m->algorithm, "ed25519-sha256"))) {
		struct ipc_key_make_rep rep = { .status = EINVAL };

		(void)peer_send(p, IPC_key_make_rep, id, &rep);
		return;
	}
	t = task_new(m->domain, m->selector, (struct str){ 0 });
	t->peer = p;
	t->id = id;
	t->algorithm = str_is(m->algorithm, "rsa-sha256") ? DKIM_RSA_SHA256
							  : DKIM_ED25519_SHA256;
	t->job.work = work_make;
	t->job.done = done_make;
	pool_run(signd.files, &t->job);
}

static void
work_delete(struct pool_job *job)
{
	struct task *t = of_job(job);

	for (size_t i = 0; i < BINDING_KEYS; i++) {
		if (t->selectors[i][0] != '\0' && t->status == 0) {
			t->status = keyfile_delete(
			    AT_FDCWD, t->domain, t->selectors[i]);
		}
	}
}

/* Tells how it went, in the log and, when the peer is there, as rep. */
static void
end_delete(struct task *t, const char *which, enum ipc_type rep, const void *m)
{
	if (t->status < 0) {
		log_error("cannot delete %s of %s: %s", which, t->domain,
		    strerror(-t->status));
	} else {
		log_info("%s of %s are deleted", which, t->domain);
	}
	if (t->peer != NULL) {
		/* A peer that does not take it is about to be dropped. */
		(void)peer_send(t->peer, rep, t->id, m);
	}
	task_free(t);
}

static void
done_delete(struct pool_job *job)
{
	struct task *t = of_job(job);
	struct ipc_key_delete_rep rep;

	if (job->is_cancelled) {
		t->status = -ECANCELED;
	}
	rep.status = (uint32_t)-t->status;
	end_delete(t, "keys", IPC_key_delete_rep, &rep);
}

void
keys_on_delete(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_key_delete_req *m = msg;
	struct task *t;

	if (!is_plain(m->domain) || !is_plain(m->selector1) ||
	    !is_plain(m->selector2)) {
		struct ipc_key_delete_rep rep = { .status = EINVAL };

		(void)peer_send(p, IPC_key_delete_rep, id, &rep);
		return;
	}
	keyring_forget(signd.ring, m->account, m->domain);
	t = task_new(m->domain, m->selector1, m->selector2);
	t->peer = p;
	t->id = id;
	t->job.work = work_delete;
	t->job.done = done_delete;
	pool_run(signd.files, &t->job);
}

static void
done_retire(struct pool_job *job)
{
	struct task *t = of_job(job);
	struct ipc_key_retire_rep rep;

	if (job->is_cancelled) {
		t->status = -ECANCELED;
	}
	rep.status = (uint32_t)-t->status;
	end_delete(t, "keys no longer used", IPC_key_retire_rep, &rep);
}

void
keys_on_retire(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_key_retire_req *m = msg;
	struct task *t;

	if (!is_plain(m->domain) || !is_plain(m->selector1) ||
	    !is_plain(m->selector2)) {
		struct ipc_key_retire_rep rep = { .status = EINVAL };

		(void)peer_send(p, IPC_key_retire_rep, id, &rep);
		return;
	}
	t = task_new(m->domain, m->selector1, m->selector2);
	t->peer = p;
	t->id = id;
	t->job.work = work_delete;
	t->job.done = done_retire;
	pool_run(signd.files, &t->job);
}

void
keys_on_use(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_key_use *m = msg;

	(void)p;
	(void)id;
	if (is_plain(m->domain) && is_plain(m->selector1) &&
	    is_plain(m->selector2)) {
		keyring_bind(signd.ring, m->account, m->domain, m->selector1,
		    m->selector2);
	}
}

void
keys_on_end(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	(void)m;
	signd.knows_all = true;
	requests_retry();
}

void
keys_peer_down(struct peer *p)
{
	for (struct task *t = tasks; t != NULL; t = t->next) {
		if (t->peer == p) {
			t->peer = NULL;
		}
	}
}
