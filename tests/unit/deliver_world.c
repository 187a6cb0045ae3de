#include "deliver_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "clock.h"
#include "conf.h"
#include "deliver.h"
#include "dial.h"
#include "fake_loop.h"
#include "loop.h"
#include "outcome.h"
#include "peer.h"
#include "plog.h"
#include "plog_format.h"
#include "service.h"

#define SEGID 0x0100000100000001ULL
#define BIG_NUMBER 77
/* Each job has a segment of its own. */
#define SEGID_OF(job) (SEGID + (job))

struct world world;

static struct conf *config;
static SSL_CTX *server_ctx;

/* ---- service.h ---------------------------------------------------------- */

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

/* ---- peer.h ------------------------------------------------------------- */

struct peer {
	enum role role;
};

static struct peer qmgr = { ROLE_QMGR };
static struct peer resolvd = { ROLE_RESOLVD };
static int passed_fd = -1;

/* A question to resolvd that is not answered yet. */
struct call {
	struct call *next;
	struct loop_defer defer;
	peer_reply_fn *fn;
	void *arg;
	struct loop_timer *timer;
};

static struct call *calls;

struct peer *
service_peer(enum role role, uint32_t index)
{
	(void)index;
	if (role == ROLE_QMGR && !world.is_qmgr_down) {
		return &qmgr;
	}
	return role == ROLE_RESOLVD && !world.is_resolvd_down ? &resolvd : NULL;
}

enum role
peer_role(const struct peer *p)
{
	return p->role;
}

int
peer_take_fd(struct peer *p)
{
	int fd = passed_fd;

	(void)p;
	passed_fd = -1;
	return fd;
}

static void
keep_result(const struct ipc_result *m)
{
	const struct ipc_desc *d = ipc_desc(IPC_result);
	struct world_result *r = &world.results[world.n_results++];

	bug_on(world.n_results > WORLD_MAX);
	/* The packet is what the fields' limits are checked by. */
	bug_on(rec_encode(&r->data, d->fields, m) < 0);
	bug_on(rec_decode(d->fields, REC_EXACT, r->data.p, r->data.len, &r->m,
		   sizeof(r->m)) < 0);
}

int
peer_send(struct peer *p, enum ipc_type type, uint32_t id, const void *m)
{
	(void)id;
	bug_on(p != &qmgr);
	if (type == IPC_result) {
		keep_result(m);
	} else if (type == IPC_path_conns) {
		const struct ipc_path_conns *c = m;

		world.conns_path = c->path;
		world.open = c->open;
		world.usable = c->usable;
		world.ready = c->ready;
		world.asked += c->asked;
		world.n_told++;
	} else if (type == IPC_running) {
		const struct ipc_running *r = m;

		world.running[world.n_running++] = r->job;
	} else if (type == IPC_reconciled) {
		const struct ipc_reconciled *r = m;

		world.is_reconciled = true;
		world.reconciled_seq = r->last_seq;
	}
	return 0;
}

static void
call_end(struct call *c, const struct ipc_plan_rep *rep)
{
	peer_reply_fn *fn = c->fn;
	void *arg = c->arg;

	for (struct call **at = &calls; *at != NULL; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	loop_defer_cancel(&c->defer);
	loop_timer_free(&c->timer);
	free(c);
	fn(arg, rep != NULL ? IPC_plan_rep : (enum ipc_type)0, rep);
}

static void
call_answer(void *arg)
{
	struct ipc_plan_rep rep = {
		.status = world.dns_status,
		.ttl_s = world.ttl_s,
		.reason = str_of(world.dns_reason),
		.plan = buf_str(&world.plan),
		.is_secure = world.is_secure,
	};

	call_end(arg, &rep);
}

static void
call_timeout(void *arg)
{
	call_end(arg, NULL);
}

void
world_answer(void)
{
	while (calls != NULL) {
		call_answer(calls);
	}
}

int
peer_call(struct peer *p, enum ipc_type type, const void *m, int fd,
    uint64_t timeout_us, peer_reply_fn *fn, void *arg, uint32_t *call)
{
	struct call *c;

	(void)m;
	(void)fd;
	(void)call;
	bug_on(type != IPC_plan_req);
	if (p == NULL) {
		return -EPIPE;
	}
	world.plan_requests++;
	c = mem_alloc(sizeof(*c));
	c->next = calls;
	c->fn = fn;
	c->arg = arg;
	c->timer = loop_timer_new(call_timeout, c);
	loop_timer_arm(c->timer, timeout_us);
	calls = c;
	if (!world.is_resolvd_silent) {
		loop_defer(&c->defer, call_answer, c);
	}
	return 0;
}

void
world_tell(enum ipc_type type, const void *m)
{
	for (const struct peer_handler *h = deliver_handlers; h->fn != NULL;
	     h++) {
		if (h->type == type) {
			h->fn(&qmgr, 0, m);
			return;
		}
	}
	bug_on(true);
}

void
world_new_qmgr(void)
{
	for (unsigned i = 0; i < world.n_results; i++) {
		buf_fini(&world.results[i].data);
		world.results[i] = (struct world_result){ 0 };
	}
	world.n_results = 0;
	world.n_running = 0;
	world.is_reconciled = false;
	world.is_qmgr_down = false;
	deliver_peer_up(&qmgr);
}

/* ---- servers ------------------------------------------------------------ */

static void
on_server_event(void *arg, enum stream_event ev)
{
	struct world_conn *c = arg;
	struct str in;

	switch (ev) {
	case STREAM_READABLE:
		in = stream_input(c->s);
		buf_add(&c->in, in.p, in.len);
		stream_consume(c->s, in.len);
		break;
	case STREAM_TLS_DONE:
		c->is_tls = true;
		break;
	case STREAM_EOF:
	case STREAM_ERROR:
	case STREAM_TIMEOUT:
		c->is_closed = true;
		stream_free(&c->s);
		break;
	case STREAM_CONNECTED:
	case STREAM_DRAINED:
		break;
	}
}

/* The client's end becomes connected in a later callback. */
struct dialled {
	struct loop_defer defer;
	struct stream **s;
	struct stream *was;
	stream_fn *fn;
	void *arg;
};

static struct dialled dialled[WORLD_MAX];

static void
tell_connected(void *arg)
{
	struct dialled *d = arg;

	if (*d->s == d->was) {
		d->fn(d->arg, STREAM_CONNECTED);
	}
}

static bool
is_refused(const char *ip)
{
	for (unsigned i = 0; i < world.n_refused; i++) {
		if (strcmp(world.refused[i], ip) == 0) {
			return true;
		}
	}
	return false;
}

int
dial(const struct plan_address *to, uint16_t port, const char *source_ip,
    stream_fn *fn, void *arg, struct stream **out)
{
	struct world_conn *c = &world.conns[world.n_conns];
	struct dialled *d = &dialled[world.n_conns];
	char ip[46];
	int fds[2];

	(void)source_ip;
	plan_address_print(to, ip);
	if (is_refused(ip)) {
		return -ECONNREFUSED;
	}
	bug_on(++world.n_conns > WORLD_MAX);
	bug_on(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		   0, fds) < 0);
	str_copy(c->ip, sizeof(c->ip), str_of(ip));
	c->port = port;
	c->s = stream_new(fds[0], on_server_event, c);
	*out = stream_new(fds[1], fn, arg);
	*d = (struct dialled){ .s = out, .was = *out, .fn = fn, .arg = arg };
	loop_defer(&d->defer, tell_connected, d);
	return 0;
}

struct str
world_input(unsigned conn)
{
	return buf_str(&world.conns[conn].in);
}

void
world_take(unsigned conn, size_t n)
{
	buf_drop(&world.conns[conn].in, n);
}

void
world_send(unsigned conn, const void *p, size_t n)
{
	if (world.conns[conn].s != NULL) {
		stream_write(world.conns[conn].s, p, n);
	}
}

void
world_close(unsigned conn)
{
	if (world.conns[conn].s != NULL) {
		stream_flush(world.conns[conn].s);
		stream_free(&world.conns[conn].s);
	}
}

/* A self-signed certificate; the caller frees it. */
static X509 *
make_certificate(EVP_PKEY *key, const char *cn)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	bug_on(key == NULL || cert == NULL);
	(void)X509_set_version(cert, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	(void)X509_set_pubkey(cert, key);
	name = X509_get_subject_name(cert);
	(void)X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	(void)X509_set_issuer_name(cert, name);
	bug_on(X509_sign(cert, key, EVP_sha256()) == 0);
	return cert;
}

static SSL_CTX *
make_server_ctx(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_certificate(key, "mx.example");
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	bug_on(SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static SSL_CTX *
get_server_ctx(void)
{
	if (server_ctx == NULL) {
		server_ctx = make_server_ctx();
	}
	return server_ctx;
}

void
world_tls(unsigned conn)
{
	stream_start_tls(world.conns[conn].s, SSL_new(get_server_ctx()), true);
}

/* ---- mail --------------------------------------------------------------- */

/* 3 0 1: the digest of the server's certificate, or not quite. */
static void
set_tlsa(struct plan_host *h, const char *tlsa, unsigned char md[32])
{
	unsigned n = 0;

	bug_on(X509_digest(SSL_CTX_get0_certificate(get_server_ctx()),
		   EVP_sha256(), md, &n) != 1 ||
	    n != 32);
	h->is_secure = true;
	world.is_secure = true;
	h->tlsa_status = strcmp(tlsa, "unknown") == 0 ? DNS_TEMPORARY : DNS_OK;
	h->n_tlsa = h->tlsa_status == DNS_OK;
	h->tlsa[0] = (struct plan_tlsa){
		.usage = 3, .matching = 1, .data = { (const char *)md, 32 }
	};
	if (strcmp(tlsa, "wrong") == 0) {
		md[31] ^= 1;
	} else if (strcmp(tlsa, "unusable") == 0) {
		h->tlsa[0].usage = 1; /* PKIX-EE */
	} else if (strcmp(tlsa, "none") == 0) {
		h->n_tlsa = 0;
		h->tlsa_status = DNS_NXDOMAIN;
	}
}

void
world_host(const char *name, uint16_t pref, const char *ip)
{
	world_host_tlsa(name, pref, ip, "");
}

void
world_host_tlsa(
    const char *name, uint16_t pref, const char *ip, const char *tlsa)
{
	struct plan_host h = {
		.name = str_of(name), .pref = pref, .n_addresses = 1
	};
	bool is_6 = strchr(ip, ':') != NULL;
	unsigned char md[32];

	if (tlsa[0] != '\0') {
		set_tlsa(&h, tlsa, md);
	}

	h.addresses[0].family = is_6 ? 6 : 4;
	bug_on(inet_pton(is_6 ? AF_INET6 : AF_INET, ip, h.addresses[0].b) != 1);
	plan_host_add(&world.plan, &h);
}

void
world_refuse(const char *ip)
{
	str_copy(world.refused[world.n_refused++], 46, str_of(ip));
}

static void
encode_record(struct buf *out, const struct world_mail *m, struct uuid msgid,
    unsigned *n_rcpts)
{
	static const char *const one[] = { "r@example.net", NULL };
	const char *const *rcpts = m->rcpts != NULL ? m->rcpts : one;
	struct buf list = { 0 };
	struct event_accepted a = { .msgid = msgid,
		.flags = m->flags,
		.ret = m->ret,
		.env_id = str_of(m->env_id) };

	for (*n_rcpts = 0; rcpts[*n_rcpts] != NULL; (*n_rcpts)++) {
		event_rcpt_add(&list,
		    &(struct event_rcpt){ .address = str_of(rcpts[*n_rcpts]),
			.notify = m->notify,
			.orcpt = str_of(m->orcpt) });
	}
	a.rcpts = buf_str(&list);
	a.nrcpt = *n_rcpts;
	a.sender = STR("s@example.org");
	if (m->big.len > 0) {
		a.big_file = BIG_NUMBER;
		a.big_len = (uint32_t)m->big.len;
		a.big_crc = plog_crc(0, m->big.p, m->big.len);
	}
	bug_on(event_encode(out, EVENT_accepted, &a) < 0);
	buf_fini(&list);
}

static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("spool", MFD_CLOEXEC);

	bug_on(fd < 0 || write(fd, p, n) != (ssize_t)n);
	return fd;
}

/* A segment of one record, with its content behind. */
static void
make_segment(struct buf *out, const struct world_mail *m, uint64_t segid,
    const struct buf *rec)
{
	struct plog_record_header h = { .len = (uint32_t)rec->len,
		.type = EVENT_accepted,
		.crc = plog_crc(segid, rec->p, rec->len) };

	buf_add(out, &h, sizeof(h));
	buf_add(out, rec->p, rec->len);
	buf_add(out, m->content.p, m->content.len);
	if (m->is_record_damaged) {
		out->p[sizeof(h) + 9] ^= 1;
	}
	if (m->is_content_damaged) {
		out->p[out->len - 1] ^= 1;
	}
}

static void
pass_file(uint64_t number, bool is_big, const void *p, size_t n)
{
	struct ipc_file f = { .segid = number, .is_big = is_big };

	passed_fd = file_of(p, n);
	world_tell(IPC_file, &f);
}

uint64_t
world_segid(uint64_t job)
{
	return SEGID_OF(job);
}

void
world_job(const struct world_mail *m)
{
	uint64_t segid = SEGID_OF(m->job);
	struct uuid msgid = uuid_random();
	struct buf rec = { 0 };
	struct buf seg = { 0 };
	struct buf rcpts = { 0 };
	struct ipc_job j = {
		.job = m->job != 0 ? m->job : 1,
		.path = m->path != 0 ? m->path : 1,
		.conn_limit = m->conn_limit != 0 ? m->conn_limit : 10,
		.conn_messages = m->conn_messages,
		.conn_seconds = m->conn_seconds,
		.may_open = !m->may_not_open,
		.open_ms = m->open_ms,
		.is_counted = m->is_counted,
		.start_ms = m->start_ms,
		.next_hop =
		    str_of(m->next_hop != NULL ? m->next_hop : "example.net"),
		.site = STR("mx.example"),
		.source_ip = str_of(m->source_ip),
		.tls_policy = str_of(m->tls),
		.is_fixed = m->is_fixed,
		.auth_user = str_of(m->user),
		.auth_password = str_of(m->password),
		.mail_from =
		    str_of(m->from != NULL ? m->from : "b@example.org"),
		.msgid = msgid,
		.segid = segid,
		.content_len = (uint32_t)m->content.len,
		.content_crc = plog_crc(segid, m->content.p, m->content.len),
	};
	unsigned n;

	encode_record(&rec, m, msgid, &n);
	for (uint16_t i = 0; i < n; i++) {
		buf_u16(&rcpts, i);
		buf_u32(&rcpts, 1);
	}
	make_segment(&seg, m, segid, &rec);
	j.rec_len = (uint32_t)rec.len;
	j.content_off = sizeof(struct plog_record_header) + rec.len;
	j.rcpts = buf_str(&rcpts);
	if (!m->is_missing) {
		pass_file(segid, false, seg.p, seg.len);
	}
	if (m->big.len > 0) {
		pass_file(BIG_NUMBER, true, m->big.p, m->big.len);
	}
	world_tell(IPC_job, &j);
	buf_fini(&rec);
	buf_fini(&seg);
	buf_fini(&rcpts);
}

/* ---- begin and end ------------------------------------------------------ */

/* An authority that no server's certificate is from: the system's many would
 * take long to read. */
static void
write_authority(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_certificate(key, "authority.example");
	FILE *f = fopen(path, "we");

	bug_on(f == NULL || PEM_write_X509(f, cert) != 1 || fclose(f) != 0);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* A line that is wanted unless cf has one: a test depends on no address of the
 * machine it runs on. */
static const char *
unless_set(const char *cf, const char *name, const char *line)
{
	return strstr(cf, name) == NULL ? line : "";
}

void
world_start(const char *cf)
{
	char directory[] = "/tmp/test_deliver.XXXXXX";
	struct buf error = { 0 };
	char path[64];
	char ca[64];
	FILE *f;

	world.ttl_s = 300;
	bug_on(mkdtemp(directory) == NULL);
	(void)snprintf(path, sizeof(path), "%s/packetboat.cf", directory);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", directory);
	write_authority(ca);
	f = fopen(path, "we");
	bug_on(f == NULL ||
	    fprintf(f,
		"myhostname = client.example\nsmtp_tls_CAfile = %s\n"
		"%s%s%s",
		ca,
		unless_set(
		    cf, "smtp_address_policy", "smtp_address_policy = any\n"),
		unless_set(
		    cf, "smtpd_listen", "smtpd_listen = 127.77.0.1:25/mx\n"),
		cf) < 0 ||
	    fclose(f) != 0);
	if (conf_load(directory, &config, &error) < 0) {
		fprintf(stderr, "%.*s\n", (int)error.len, (char *)error.p);
		abort();
	}
	buf_fini(&error);
	loop_init();
	deliver_init();
	(void)unlink(path);
	(void)unlink(ca);
	(void)rmdir(directory);
}

void
world_settle(void)
{
	while (fake_loop_turn()) {
	}
}

static void
forget(void)
{
	for (unsigned i = 0; i < world.n_conns; i++) {
		stream_free(&world.conns[i].s);
		buf_fini(&world.conns[i].in);
	}
	for (unsigned i = 0; i < world.n_results; i++) {
		buf_fini(&world.results[i].data);
	}
	buf_fini(&world.plan);
	memset(&world, 0, sizeof(world));
	world.ttl_s = 300;
}

void
world_reset(void)
{
	struct ipc_result_ack ack = { .seq = UINT64_MAX };

	for (unsigned i = 0; i < world.n_conns; i++) {
		world_close(i);
	}
	fake_loop_pass(4000 * US_PER_S);
	world_tell(IPC_result_ack, &ack);
	forget();
}

void
world_stop(void)
{
	while (calls != NULL) {
		call_end(calls, NULL);
	}
	deliver_stop();
	world_settle();
	forget();
	SSL_CTX_free(server_ctx);
	server_ctx = NULL;
	conf_free(&config);
	loop_fini();
}
