#include "smtpd_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "conf.h"
#include "loop.h"
#include "peer.h"
#include "service.h"
#include "worker.h"

struct world world;

static struct conf *config;
static char directory[] = "/tmp/smtpd-world-XXXXXX";

/* ---- the service -------------------------------------------------------- */

const struct conf *
conf(void)
{
	return config;
}

uint32_t
service_index(void)
{
	return 0;
}

void
service_exit(void)
{
	world.is_over = true;
}

/* ---- channels ----------------------------------------------------------- */

struct peer {
	enum role role;
};

struct call {
	struct call *next;
	struct peer *peer;
	uint32_t id;
	peer_reply_fn *fn;
	void *arg;
	struct buf packet;
	struct loop_defer defer;
	struct loop_timer *deadline;
};

static struct peer master = { ROLE_MASTER };
static struct peer accountd = { ROLE_ACCOUNTD };
static struct peer signd = { ROLE_SIGND };
static struct peer qmgr = { ROLE_QMGR };
static struct call *calls;
static uint32_t last_id;

struct peer *
service_master(void)
{
	return &master;
}

struct peer *
service_peer(enum role role, uint32_t index)
{
	(void)index;
	switch (role) {
	case ROLE_ACCOUNTD:
		return world.accountd == WORLD_DOWN ? NULL : &accountd;
	case ROLE_SIGND:
		return world.signd == WORLD_DOWN ? NULL : &signd;
	case ROLE_QMGR:
		return &qmgr;
	default:
		return NULL;
	}
}

enum role
peer_role(const struct peer *p)
{
	return p->role;
}

int
peer_send(struct peer *p, enum ipc_type type, uint32_t id, const void *m)
{
	struct buf packet = { 0 };
	int r = ipc_encode(&packet, type, id, m);

	(void)p;
	/* with 0 a segment is named, before anything is in it */
	world.durable_sent +=
	    type == IPC_durable && ((const struct ipc_durable *)m)->off != 0;
	buf_fini(&packet);
	return r;
}

int
peer_take_fd(struct peer *p)
{
	(void)p;
	return 0; /* never used: the files below are buffers */
}

static void
call_free(struct call *c)
{
	struct call **at = &calls;

	while (*at != c) {
		at = &(*at)->next;
	}
	*at = c->next;
	loop_defer_cancel(&c->defer);
	loop_timer_free(&c->deadline);
	buf_fini(&c->packet);
	free(c);
}

static void
reply(struct call *c, enum ipc_type type, const void *m)
{
	peer_reply_fn *fn = c->fn;
	void *arg = c->arg;

	call_free(c);
	fn(arg, type, m);
}

static void
on_deadline(void *arg)
{
	reply(arg, (enum ipc_type)0, NULL);
}

static void
answer_auth(struct call *c)
{
	struct ipc_auth_rep rep = {
		.account = 7, .key = 9, .name = STR("acme")
	};

	if (world.accountd == WORLD_REFUSES) {
		rep.verdict = world.verdict;
	}
	reply(c, IPC_auth_rep, &rep);
}

static void
answer_tx(struct call *c, const struct ipc_tx_req *req)
{
	static const uint8_t none[1];
	uint8_t bits[8];
	struct ipc_tx_rep rep = { .class = CLASS_STANDARD,
		.flags = world.tx_flags,
		.sign_domain = str_of(world.sign_domain),
		.return_domain = STR("b.example"),
		.suppressed = { (const char *)none, 0 } };

	for (int i = 0; i < 8; i++) {
		bits[i] = (uint8_t)(world.suppressed >> (8 * i));
	}
	if (str_is(req->want_subaccount, "shop")) {
		rep.subaccount = 3;
	}
	if (world.suppressed != 0) {
		rep.suppressed = (struct str){ (const char *)bits, 8 };
	}
	if (world.accountd == WORLD_REFUSES) {
		rep.code = world.code;
		rep.enh = str_of(world.enh);
		rep.text = str_of(world.text);
	}
	reply(c, IPC_tx_rep, &rep);
}

static void
answer_rcpt(struct call *c, const struct ipc_rcpt_req *req)
{
	struct ipc_rcpt_rep rep = { .kind = world.kind, .rcpt = 3 };

	rep.msgid.b[0] = 0xaa;
	if (str_is(req->local, "nobody")) {
		rep.code = 550;
		rep.enh = STR("5.1.1");
		rep.text = STR("No such return path");
	}
	if (world.accountd == WORLD_REFUSES) {
		rep.code = world.code;
		rep.enh = str_of(world.enh);
		rep.text = str_of(world.text);
	}
	reply(c, IPC_rcpt_rep, &rep);
}

static void
answer_sign(struct call *c, const struct ipc_sign_req *req)
{
	struct ipc_sign_rep rep = { .fields = STR(
					"DKIM-Signature: v=1; d=signed\r\n") };

	buf_clear(&world.signed_header, 0);
	buf_add(&world.signed_header, req->header.p, req->header.len);
	if (world.signd == WORLD_REFUSES) {
		rep.status = ENOENT;
	}
	reply(c, IPC_sign_rep, &rep);
}

static void
answer_file(struct call *c)
{
	struct ipc_file_rep rep = { .segid = WORLD_SEGMENT };

	if (world.log == WORLD_LOG_NO_FILE) {
		rep.status = ENOSPC;
	}
	reply(c, IPC_file_rep, &rep);
}

static void
answer(void *arg)
{
	_Alignas(16) uint8_t m[IPC_STRUCT_MAX];
	struct call *c = arg;
	struct str packet = buf_str(&c->packet);
	struct ipc_head head;

	if (ipc_decode(&packet, ROLE_SMTPD, c->peer->role, &head, m) != 0) {
		fprintf(stderr, "smtpd sent what it may not\n");
		abort();
	}
	switch (head.type) {
	case IPC_auth_req:
	case IPC_client_req:
		answer_auth(c);
		break;
	case IPC_tx_req:
		answer_tx(c, (const void *)m);
		break;
	case IPC_rcpt_req:
		answer_rcpt(c, (const void *)m);
		break;
	case IPC_sign_req:
		answer_sign(c, (const void *)m);
		break;
	case IPC_file_req:
		answer_file(c);
		break;
	default:
		abort();
	}
}

static void
note_request(enum ipc_type type, const void *m, int fd)
{
	if (type == IPC_auth_req) {
		const struct ipc_auth_req *req = m;

		world.auth_requests++;
		memcpy(
		    world.password_space, req->password.p, req->password.len);
		world.last_password =
		    (struct str){ world.password_space, req->password.len };
	}
	world.client_requests += type == IPC_client_req;
	world.tx_requests += type == IPC_tx_req;
	world.sign_requests += type == IPC_sign_req;
	world.sign_fds += type == IPC_sign_req && fd >= 0;
}

static bool
is_silent(const struct peer *p)
{
	return (p == &accountd && world.accountd == WORLD_SILENT) ||
	    (p == &signd && world.signd == WORLD_SILENT) ||
	    (p == &master && world.log == WORLD_LOG_NO_REPLY);
}

int
peer_call(struct peer *p, enum ipc_type type, const void *m, int fd,
    uint64_t timeout_us, peer_reply_fn *fn, void *arg, uint32_t *id)
{
	struct call *c;
	struct buf packet = { 0 };
	int r;

	if (p == NULL) {
		return -EPIPE;
	}
	r = ipc_encode(&packet, type, ++last_id, m);
	if (r < 0) {
		buf_fini(&packet);
		return r;
	}
	note_request(type, m, fd);
	c = mem_alloc(sizeof(*c));
	*c = (struct call){
		.next = calls, .peer = p, .id = last_id, .fn = fn, .arg = arg
	};
	buf_move(&c->packet, &packet);
	calls = c;
	if (id != NULL) {
		*id = c->id;
	}
	c->deadline = loop_timer_new(on_deadline, c);
	loop_timer_arm(c->deadline, timeout_us);
	if (!is_silent(p)) {
		loop_defer(&c->defer, answer, c);
	}
	return 0;
}

void
peer_call_cancel(struct peer *p, uint32_t id)
{
	for (struct call *c = calls; c != NULL; c = c->next) {
		if (id != 0 && c->id == id && c->peer == p) {
			call_free(c);
			return;
		}
	}
}

void
world_tell(enum role from, enum ipc_type type, const void *m)
{
	struct peer *p = from == ROLE_QMGR ? &qmgr : &accountd;

	for (const struct peer_handler *h = worker_handlers; h->fn != NULL;
	     h++) {
		if (h->type == type) {
			h->fn(p, 0, m);
		}
	}
}

/* ---- life --------------------------------------------------------------- */

void
world_start(const char *cf)
{
	struct buf error = { 0 };
	char path[64];
	FILE *f;

	if (mkdtemp(directory) == NULL) {
		abort();
	}
	(void)snprintf(path, sizeof(path), "%s/packetboat.cf", directory);
	f = fopen(path, "w");
	if (f == NULL || fputs(cf, f) < 0 || fclose(f) != 0) {
		abort();
	}
	if (conf_load(directory, &config, &error) < 0) {
		fprintf(stderr, "%.*s\n", (int)error.len, (char *)error.p);
		exit(1);
	}
	(void)unlink(path);
	(void)rmdir(directory);
	buf_fini(&error);
	loop_init();
	worker_init();
	worker_start();
}

void
world_forget(void)
{
	for (size_t i = 0; i < world.n_messages; i++) {
		buf_fini(&world.messages[i].record);
		buf_fini(&world.messages[i].content);
	}
	free(world.messages);
	buf_fini(&world.signed_header);
	world = (struct world){ 0 };
}

void
world_stop(void)
{
	worker_stop();
	while (calls != NULL) {
		call_free(calls);
	}
	world_forget();
	conf_free(&config);
	loop_fini();
}
