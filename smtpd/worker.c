#include "worker.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ask.h"
#include "bigfile.h"
#include "client.h"
#include "clock.h"
#include "conf.h"
#include "log.h"
#include "login.h"
#include "loop.h"
#include "map.h"
#include "plog.h"
#include "segments.h"
#include "session.h"
#include "soon.h"
#include "spool.h"
#include "tls.h"
#include "tx.h"

/* Connections taken at once, so that those who are here get their turn. */
#define ACCEPTS_PER_TURN 16

/* Without descriptors or memory a listener rests so long. */
#define REST_US US_PER_S

#define PRESSURE_TEXT "452 4.3.1 Insufficient system storage"
#define FULL_TEXT                                                              \
	"452 4.3.1 The queue of this account is at its limit, try again later"

struct listener {
	struct listener *next;
	int fd;
	enum port_role role;
	struct loop_io *io;
	struct loop_timer *rest;
	char address[65];
};

static struct listener *listeners;
static struct session *sessions;
static size_t n_sessions;
static bool is_started;
static bool is_draining;
static enum pressure pressure;
static struct map *full; /* tenants whose queue is at its limit; or NULL */
static struct session_account trusted;
static char hostname[256];

/* ---- facts -------------------------------------------------------------- */

const char *
worker_hostname(void)
{
	return hostname;
}

bool
worker_is_draining(void)
{
	return is_draining;
}

const char *
worker_pressure(void)
{
	return pressure != PRESSURE_NONE ? PRESSURE_TEXT : NULL;
}

static uint64_t
tenant_key(uint32_t account, uint32_t subaccount)
{
	return (uint64_t)account << 32 | subaccount;
}

static bool
is_full(uint32_t account, uint32_t subaccount)
{
	return map_get_u64(full, tenant_key(account, subaccount)) != NULL;
}

const char *
worker_tenant_pressure(uint32_t account, uint32_t subaccount)
{
	if (full == NULL || map_len(full) == 0 ||
	    (!is_full(account, 0) && !is_full(account, subaccount))) {
		return NULL;
	}
	return FULL_TEXT;
}

const struct session_account *
worker_trusted_account(void)
{
	return trusted.is_known ? &trusted : NULL;
}

void
worker_set_trusted_account(const struct session_account *a)
{
	trusted = *a;
}

void
worker_add(struct session *s)
{
	s->next = sessions;
	if (sessions != NULL) {
		sessions->prev = s;
	}
	sessions = s;
	n_sessions++;
}

void
worker_remove(struct session *s)
{
	if (s->prev != NULL) {
		s->prev->next = s->next;
	} else {
		sessions = s->next;
	}
	if (s->next != NULL) {
		s->next->prev = s->prev;
	}
	n_sessions--;
	worker_check_drained();
}

bool
worker_is_crowded(void)
{
	uint64_t most = conf()->smtpd_connection_limit;

	return n_sessions >= most - most / 4;
}

/* ---- accepting ---------------------------------------------------------- */

/* A connection that is not served hears why. */
static void
turn_away(int fd, const char *ip, const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s\r\n", text);

	log_info("NOQUEUE: reject: CONNECT from unknown[%s]: %s; proto=SMTP",
	    ip, text);
	(void)send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(fd);
}

/*
 * RFC 5321 section 4.3.1: a client that talks before the banner does not
 * listen. Only strangers on port 25 are looked at.
 */
static bool
is_talking(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
worker_serve(int fd, enum port_role role, const char *ip, uint16_t port)
{
	struct domain_ip address;
	struct client *client = NULL;
	const char *why = NULL;
	bool is_trusted = domain_ip_parse(ip, strlen(ip), &address) == 0 &&
	    client_is_trusted(&address);

	if (n_sessions >= conf()->smtpd_connection_limit) {
		why = "421 4.3.2 Error: too many connections";
	} else if (role == PORT_SUBMISSIONS && !tls_is_available()) {
		why = "421 4.3.2 Error: TLS is not available";
	} else if (role == PORT_MX && !is_trusted && is_talking(fd)) {
		why = "554 5.5.0 Error: talked before the greeting";
	} else {
		client = client_enter(ip, is_trusted, &why);
	}
	if (client == NULL) {
		turn_away(fd, ip, why);
	} else {
		session_new(fd, role, client, ip, port, is_trusted);
	}
}

static void
on_connection(void *arg, unsigned ready)
{
	struct listener *l = arg;

	(void)ready;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			uint16_t port;
			char ip[46];

			stream_print_address(&from, ip, &port);
			worker_serve(fd, l->role, ip, port);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			log_warn(
			    "accept on %s: %s", l->address, strerror(errno));
			loop_io_want(l->io, 0);
			loop_timer_arm(l->rest, REST_US);
		}
		return;
	}
}

static void
on_rested(void *arg)
{
	const struct listener *l = arg;

	loop_io_want(l->io, LOOP_READ);
}

static enum port_role
role_of(struct str name)
{
	if (str_is(name, "mx")) {
		return PORT_MX;
	}
	return str_is(name, "submissions") ? PORT_SUBMISSIONS : PORT_SUBMISSION;
}

void
worker_listen(int fd, const struct ipc_listen *m)
{
	struct listener *l = mem_alloc(sizeof(*l));
	const int one = 1;

	l->fd = fd;
	l->role = role_of(m->role);
	str_copy(l->address, sizeof(l->address), m->address);
	/* Inherited by what is accepted: a reply in two pieces must not wait
	 * for the client's acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->io = loop_io_new(fd, is_started ? LOOP_READ : 0, on_connection, l);
	l->rest = loop_timer_new(on_rested, l);
	l->next = listeners;
	listeners = l;
}

static void
close_listeners(void)
{
	while (listeners != NULL) {
		struct listener *l = listeners;

		listeners = l->next;
		loop_io_free(&l->io);
		loop_timer_free(&l->rest);
		(void)close(l->fd);
		free(l);
	}
}

/* ---- what others tell --------------------------------------------------- */

static void
on_pressure(struct peer *p, uint32_t id, const void *m)
{
	const struct ipc_pressure *msg = m;
	char reason[129];

	(void)p;
	(void)id;
	pressure = (enum pressure)msg->level;
	(void)str_safe(reason, sizeof(reason), msg->reason);
	if (pressure != PRESSURE_NONE) {
		log_warn("new mail is refused: %s", reason);
	} else {
		log_info("new mail is welcome");
	}
}

static void
on_tenant_pressure(struct peer *p, uint32_t id, const void *m)
{
	const struct ipc_tenant_pressure *msg = m;
	uint64_t key = tenant_key(msg->account, msg->subaccount);

	(void)p;
	(void)id;
	if (full == NULL) {
		full = map_new();
	}
	if (msg->is_full) {
		(void)map_put_u64(full, key, &full);
	} else {
		(void)map_del_u64(full, key);
	}
}

static void
forget_pressure(void)
{
	pressure = PRESSURE_NONE;
	if (full != NULL) {
		map_free(&full, NULL);
	}
}

/* A revoked key acts at once: who came with it is logged out. So does one
 * whose client networks are others now. */
static void
log_out(uint32_t key, bool is_good)
{
	struct session *next;

	for (struct session *s = sessions; s != NULL; s = next) {
		next = s->next;
		if (key != 0 && s->account.is_known && s->account.key == key &&
		    s->auth_method != NULL) {
			session_revoke(s, is_good);
		}
	}
}

static void
on_accounts_changed(struct peer *p, uint32_t id, const void *m)
{
	const struct ipc_accounts_changed *msg = m;

	(void)p;
	(void)id;
	trusted = (struct session_account){ 0 };
	log_out(msg->key, msg->is_good != 0);
}

const struct peer_handler worker_handlers[] = {
	{ IPC_pressure, on_pressure },
	{ IPC_tenant_pressure, on_tenant_pressure },
	{ IPC_accounts_changed, on_accounts_changed },
	{ (enum ipc_type)0, NULL },
};

void
worker_peer_up(struct peer *p)
{
	if (peer_role(p) == ROLE_QMGR) {
		/* It tells anew if it is in need. */
		forget_pressure();
		segments_tell(p);
	} else if (peer_role(p) == ROLE_ACCOUNTD) {
		trusted = (struct session_account){ 0 };
	}
	ask_again();
}

/* ---- life --------------------------------------------------------------- */

static void
find_hostname(void)
{
	str_copy(hostname, sizeof(hostname), str_of(conf()->myhostname));
	if (hostname[0] == '\0' &&
	    gethostname(hostname, sizeof(hostname) - 1) < 0) {
		fatal("myhostname is not set and the system has no name");
	}
}

void
worker_init(void)
{
	const char *why;

	find_hostname();
	json_object_seed(0); /* reads a file: not possible later */
	tls_init();
	if (login_init(hostname, &why) < 0) {
		fatal("cannot begin SASL: %s", why);
	}
	if (client_init(conf()->mynetworks, &why) < 0) {
		fatal("mynetworks: a word is no address/bits: %s", why);
	}
}

static void
start_log(void)
{
	struct segments_config c = {
		.file_size = conf()->segment_size,
		.timeout_us = conf()->smtpd_service_timeout,
		.wait_us = (uint32_t)conf()->spool_sync_wait,
		.expected = soon_expected,
		.arrived = submit_unpark,
	};
	uint64_t segid;
	uint32_t index;

	segments_start(&c);
	/* The first segment comes before the first message. */
	if (plog_writer_next(segments_log(), &segid, &index) < 0) {
		log_debug("waiting for the first segment");
	}
}

void
worker_start(void)
{
	start_log();
	is_started = true;
	for (const struct listener *l = listeners; l != NULL; l = l->next) {
		loop_io_want(l->io, LOOP_READ);
	}
}

void
worker_check_drained(void)
{
	if (is_draining && is_started && n_sessions == 0 &&
	    plog_writer_pending(segments_log()) == 0) {
		service_exit();
	}
}

void
worker_drain(void)
{
	struct session *next;

	is_draining = true;
	close_listeners();
	for (struct session *s = sessions; s != NULL; s = next) {
		next = s->next;
		session_drain(s);
	}
	worker_check_drained();
}

void
worker_stop(void)
{
	close_listeners();
	while (sessions != NULL) {
		session_free(sessions);
	}
	submit_unpark(-1);
	forget_pressure();
	segments_stop();
	bigfile_fini();
	tx_fini();
	ask_fini();
	client_fini();
	login_fini();
	tls_fini();
}
