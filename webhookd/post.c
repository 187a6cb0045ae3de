#include "post.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "log.h"
#include "loop.h"
#include "proxy.h"
#include "service.h"

struct post {
	struct post *next, *prev;
	CURL *easy;
	struct curl_slist *fields;
	struct curl_slist *resolve;
	struct curl_slist *connect_to;
	struct buf body;
	size_t received; /* bytes of header and body */
	bool is_cut;	 /* it sent too much */
	bool is_refused; /* an address was not allowed */
	char retry_after[64];
	char error[CURL_ERROR_SIZE];
	post_fn *fn;
	void *arg;
};

/* A descriptor of libcurl's that the loop watches. */
struct watch {
	struct loop_io *io;
	curl_socket_t fd;
};

static struct {
	CURLM *multi;
	X509_STORE *store;
	struct addr_nets allow;
	struct loop_timer *timer;
	struct loop_defer reap;
	struct post *all;
	unsigned count;
} post;

/* ---- libcurl on the loop ------------------------------------------------ */

static void finish(struct post *p, CURLcode code);

/* Ends the requests that are done; libcurl must not be running now. */
static void
reap(void *arg)
{
	CURLMsg *m;
	int left;

	(void)arg;
	while ((m = curl_multi_info_read(post.multi, &left)) != NULL) {
		char *p = NULL;

		if (m->msg != CURLMSG_DONE) {
			continue;
		}
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
		finish((struct post *)(void *)p, m->data.result);
	}
}

static void
act(curl_socket_t fd, int what)
{
	int running;

	(void)curl_multi_socket_action(post.multi, fd, what, &running);
	loop_defer(&post.reap, reap, NULL);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct watch *w = arg;
	int what = 0;

	if ((ready & LOOP_READ) != 0) {
		what |= CURL_CSELECT_IN;
	}
	if ((ready & LOOP_WRITE) != 0) {
		what |= CURL_CSELECT_OUT;
	}
	act(w->fd, what);
}

static void
on_timer(void *arg)
{
	(void)arg;
	act(CURL_SOCKET_TIMEOUT, 0);
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct watch *w = socket;
	unsigned want = 0;

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			loop_io_free(&w->io);
			free(w);
		}
		return 0;
	}
	if ((what & CURL_POLL_IN) != 0) {
		want |= LOOP_READ;
	}
	if ((what & CURL_POLL_OUT) != 0) {
		want |= LOOP_WRITE;
	}
	if (w != NULL) {
		loop_io_want(w->io, want);
		return 0;
	}
	w = mem_alloc(sizeof(*w));
	w->fd = fd;
	w->io = loop_io_new(fd, want, on_ready, w);
	(void)curl_multi_assign(post.multi, fd, w);
	return 0;
}

/* Only arms the timer: libcurl must not be entered from here. */
static int
set_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	(void)arg;
	if (ms < 0) {
		loop_timer_stop(post.timer);
	} else {
		loop_timer_arm(post.timer, (uint64_t)ms * 1000);
	}
	return 0;
}

/* ---- walls -------------------------------------------------------------- */

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct post *p = arg;
	struct plan_address address;

	/* The administrator chose the proxy, and it is all that is connected.
	 */
	if (purpose != CURLSOCKTYPE_IPCXN ||
	    addr_of_sockaddr(&a->addr, &address) < 0 ||
	    (!proxy_is_used() && !addr_is_allowed(&address, &post.allow))) {
		p->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/*
 * Called when libcurl does not find a name among those it was given: a
 * resolver in this process would be killed by the sandbox. An address needs
 * none.
 */
static int
on_resolve(void *state, void *reserved, void *arg)
{
	const struct post *p = arg;

	(void)state;
	(void)reserved;
	return p->resolve != NULL;
}

/* Counts what comes in; 0 makes libcurl stop. */
static size_t
count(struct post *p, size_t n)
{
	p->received += n;
	if (p->received > conf()->webhook_response_limit) {
		p->is_cut = true;
		return 0;
	}
	return n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	return count(arg, size * n);
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	static const char name[] = "retry-after:";
	struct post *p = arg;
	struct str line = { data, size * n };

	if (str_starts(line, "HTTP/")) {
		p->retry_after[0] = '\0'; /* of an interim response */
	}
	if (line.len >= sizeof(name) &&
	    strncasecmp(line.p, name, sizeof(name) - 1) == 0) {
		line.p += sizeof(name) - 1;
		line.len -= sizeof(name) - 1;
		line = str_trim(line);
		/* One that is cut would mean something else. */
		if (line.len < sizeof(p->retry_after)) {
			str_copy(p->retry_after, sizeof(p->retry_after), line);
		}
	}
	return count(p, size * n);
}

/* The certificates are parsed once, not for each connection. */
static CURLcode
use_store(CURL *easy, void *ctx, void *arg)
{
	(void)easy;
	(void)arg;
	SSL_CTX_set1_cert_store(ctx, post.store);
	return CURLE_OK;
}

static void
load_store(const char *ca_file)
{
	const char *file =
	    ca_file[0] != '\0' ? ca_file : "/etc/ssl/certs/ca-certificates.crt";

	post.store = X509_STORE_new();
	if (post.store == NULL) {
		fatal("cannot make a store of certificates");
	}
	(void)X509_STORE_set_flags(
	    post.store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	if (X509_STORE_load_file(post.store, file) == 1) {
		return;
	}
	if (ca_file[0] != '\0') {
		fatal("webhook_CAfile = %s: cannot be read", ca_file);
	}
	log_warn("%s: cannot be read: no endpoint's certificate will be "
		 "trusted; see webhook_CAfile",
	    file);
}

void
post_init(const char *ca_file, const struct addr_nets *allow)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		fatal("libcurl cannot start");
	}
	load_store(ca_file);
	post.allow = *allow;
	post.multi = curl_multi_init();
	if (post.multi == NULL) {
		fatal("libcurl cannot start");
	}
	post.timer = loop_timer_new(on_timer, NULL);
	(void)curl_multi_setopt(
	    post.multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	(void)curl_multi_setopt(post.multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(
	    post.multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	(void)curl_multi_setopt(post.multi, CURLMOPT_MAXCONNECTS,
	    (long)conf()->webhook_connection_limit);
}

void
post_stop(void)
{
	while (post.all != NULL) {
		struct post *p = post.all;

		post_cancel(&p);
	}
	loop_defer_cancel(&post.reap);
	if (post.multi != NULL) {
		(void)curl_multi_cleanup(post.multi);
		post.multi = NULL;
	}
	loop_timer_free(&post.timer);
	X509_STORE_free(post.store);
	post.store = NULL;
	curl_global_cleanup();
}

/* ---- requests ----------------------------------------------------------- */

static void
post_free(struct post *p)
{
	*(p->prev != NULL ? &p->prev->next : &post.all) = p->next;
	if (p->next != NULL) {
		p->next->prev = p->prev;
	}
	post.count--;
	(void)curl_multi_remove_handle(post.multi, p->easy);
	curl_easy_cleanup(p->easy);
	curl_slist_free_all(p->fields);
	curl_slist_free_all(p->resolve);
	curl_slist_free_all(p->connect_to);
	buf_fini(&p->body);
	free(p);
}

void
post_cancel(struct post **p)
{
	if (*p != NULL) {
		post_free(*p);
		*p = NULL;
	}
}

unsigned
post_count(void)
{
	return post.count;
}

static const char *
describe(const struct post *p, CURLcode code)
{
	if (p->is_cut) {
		return "the answer is larger than webhook_response_limit";
	}
	if (p->is_refused) {
		return "its address is not public (webhook_allow_networks)";
	}
	return p->error[0] != '\0' ? p->error : curl_easy_strerror(code);
}

/*
 * Whether the answer counts that libcurl gives up with this. A server may
 * answer before it has read all and then reset the stream with NO_ERROR; that
 * answer is not to be discarded (RFC 9113 section 8.1). Resets for another
 * reason have a text.
 */
static bool
is_answered(const struct post *p, CURLcode code)
{
	return code == CURLE_OK || p->is_cut ||
	    (code == CURLE_HTTP2_STREAM && p->error[0] == '\0');
}

static void
finish(struct post *p, CURLcode code)
{
	struct post_result r = { .retry_after = str_of(p->retry_after) };
	long status = 0;

	(void)curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
	/* A long body does not take back what the status said. */
	if (status >= 200 && is_answered(p, code)) {
		r.status = (int)status;
	} else {
		r.error = describe(p, code);
	}
	p->fn(p->arg, &r);
	post_free(p);
}

static void
add_field(struct post *p, const char *text)
{
	struct curl_slist *list = curl_slist_append(p->fields, text);

	bug_on(list == NULL);
	p->fields = list;
}

static void
set_security(struct post *p)
{
	CURL *e = p->easy;

	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR,
	    conf()->webhook_allow_http ? "http,https" : "https");
	(void)curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "");
	(void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, p);
	(void)curl_easy_setopt(e, CURLOPT_RESOLVE, p->resolve);
	(void)curl_easy_setopt(e, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	(void)curl_easy_setopt(e, CURLOPT_RESOLVER_START_DATA, p);
	/* use_store brings the certificates instead. */
	(void)curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	(void)curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, use_store);
	(void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(
	    e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* How it gets there. */
static void
set_path(struct post *p, const struct post_request *r)
{
	const char *resolve = proxy_is_used() ? proxy_resolve() : r->resolve;
	CURL *e = p->easy;

	if (resolve != NULL) {
		p->resolve = curl_slist_append(NULL, resolve);
	}
	if (proxy_is_used()) {
		proxy_set(e, r->resolve, r->turn, &p->connect_to);
	} else {
		(void)curl_easy_setopt(e, CURLOPT_PROXY, "");
		(void)curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	}
	/* By ALPN (RFC 7301); 1.1 without TLS. */
	(void)curl_easy_setopt(
	    e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
}

static void
set_limits(struct post *p)
{
	long ms = (long)(conf()->webhook_timeout / 1000);
	CURL *e = p->easy;

	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ms);
	(void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, ms);
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
	(void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(e, CURLOPT_HEADERDATA, p);
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, p->error);
}

struct post *
post_start(const struct post_request *r)
{
	struct post *p = mem_alloc(sizeof(*p));
	char type[96];

	p->easy = curl_easy_init();
	bug_on(p->easy == NULL);
	p->fn = r->fn;
	p->arg = r->arg;
	buf_move(&p->body, r->body);
	p->next = post.all;
	if (post.all != NULL) {
		post.all->prev = p;
	}
	post.all = p;
	post.count++;
	(void)snprintf(type, sizeof(type), "Content-Type: %s", r->type);
	add_field(p, type);
	add_field(p, "Expect:");
	for (const char *const *f = r->fields; *f != NULL; f++) {
		add_field(p, *f);
	}
	set_path(p, r);
	set_security(p);
	set_limits(p);
	(void)curl_easy_setopt(p->easy, CURLOPT_URL, r->url);
	(void)curl_easy_setopt(p->easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(
	    p->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
	(void)curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, p->body.p);
	(void)curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->fields);
	(void)curl_easy_setopt(
	    p->easy, CURLOPT_USERAGENT, "Packetboat/" PACKAGE_VERSION);
	(void)curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
	(void)curl_multi_add_handle(post.multi, p->easy);
	return p;
}
