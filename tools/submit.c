#include "submit.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "ehlo.h"
#include "smtp_reply.h"
#include "submit_key.h"

/* RFC 5321 section 4.5.3.2: the longest of its times. */
#define TIMEOUT_S 600
/* After the end of input without QUIT. */
#define LAST_REPLIES_MS 5000

struct submit {
	int fd;
	SSL_CTX *context;
	SSL *tls;	/* NULL: in clear text */
	char host[256]; /* as asked for; "" when it is this host */
	char input[4096];
	size_t input_at;
	size_t input_len;
	char text[SMTP_REPLY_TEXT_MAX + 1];
	struct smtp_reply_parser parser;
	struct ehlo ehlo;
};

/* ---- where ----------------------------------------------------------------
 */

/* "host:port" or "[host]:port" in two; the port stays 587 if there is none. */
static void
split_server(
    struct str s, char *host, size_t host_size, char *port, size_t port_size)
{
	const char *colon = memrchr(s.p, ':', s.len);

	(void)snprintf(port, port_size, "587");
	if (colon != NULL &&
	    memchr(colon, ']', s.len - (size_t)(colon - s.p)) == NULL) {
		size_t at = (size_t)(colon - s.p);

		str_copy(
		    port, port_size, (struct str){ colon + 1, s.len - at - 1 });
		s.len = at;
	}
	if (s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']') {
		s = (struct str){ s.p + 1, s.len - 2 };
	}
	str_copy(host, host_size, s);
}

static int
take_submission(void *arg, const char *word, size_t len)
{
	struct str *found = arg, s = { word, len };
	const char *slash = memrchr(word, '/', len);

	if (slash == NULL ||
	    !str_is((struct str){ slash + 1, len - (size_t)(slash - word) - 1 },
		"submission")) {
		return 0;
	}
	s.len = (size_t)(slash - word);
	*found = s;
	return 1;
}

/* Where to connect; *is_here when it is a listener of this host. */
static void
find_server(
    char *host, size_t host_size, char *port, size_t port_size, bool *is_here)
{
	const struct conf *c = client_conf();
	struct str s = str_of(c->sendmail_server);

	*is_here = s.len == 0;
	if (*is_here &&
	    conf_list_each(c->smtpd_listen, take_submission, &s) == 0) {
		client_die(EX_CONFIG,
		    "smtpd_listen has no listener of the role submission; add "
		    "one or set sendmail_server");
	}
	split_server(s, host, host_size, port, port_size);
	if (*is_here && strcmp(host, "0.0.0.0") == 0) {
		(void)snprintf(host, host_size, "127.0.0.1");
	} else if (*is_here && strcmp(host, "::") == 0) {
		(void)snprintf(host, host_size, "::1");
	}
}

static int
connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	int fd = -1, e = getaddrinfo(host, port, &hints, &all);

	if (e != 0) {
		client_die(EX_TEMPFAIL, "%s: %s", host, gai_strerror(e));
	}
	e = 0;
	for (struct addrinfo *a = all; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			e = errno;
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	if (fd < 0) {
		client_die(
		    EX_TEMPFAIL, "%s port %s: %s", host, port, strerror(e));
	}
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return fd;
}

/* ---- bytes ----------------------------------------------------------------
 */

static void
put(struct submit *s, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t k = s->tls != NULL
		    ? SSL_write(s->tls, at, n > 16384 ? 16384 : (int)n)
		    : send(s->fd, at, n, MSG_NOSIGNAL);

		if (k <= 0 && (s->tls != NULL || errno != EINTR)) {
			client_die(EX_TEMPFAIL, "the server went away");
		}
		if (k > 0) {
			at += k;
			n -= (size_t)k;
		}
	}
}

static void
fill(struct submit *s)
{
	ssize_t k;

	do {
		k = s->tls != NULL
		    ? SSL_read(s->tls, s->input, sizeof(s->input))
		    : recv(s->fd, s->input, sizeof(s->input), 0);
	} while (k < 0 && s->tls == NULL && errno == EINTR);
	if (k <= 0) {
		client_die(EX_TEMPFAIL, "the server went away");
	}
	s->input_at = 0;
	s->input_len = (size_t)k;
}

/* ---- dialogue -------------------------------------------------------------
 */

static const struct smtp_reply *
reply(struct submit *s)
{
	int r = 0;

	while (r == 0) {
		size_t used;

		if (s->input_at == s->input_len) {
			fill(s);
		}
		r = smtp_reply_feed(&s->parser, s->input + s->input_at,
		    s->input_len - s->input_at, &used);
		s->input_at += used;
	}
	if (r < 0) {
		client_die(EX_PROTOCOL, "the server's reply is no SMTP");
	}
	s->text[s->parser.reply.text_len] = '\0';
	return &s->parser.reply;
}

/* Prints a refusal; text of the server is not trusted. */
static void
print_refusal(const struct smtp_reply *r, struct str about)
{
	char text[1024], name[512];

	str_safe(text, sizeof(text), (struct str){ r->text, r->text_len });
	str_safe(name, sizeof(name), about);
	fprintf(stderr, "sendmail: %s%s%u %s\n", name,
	    about.len > 0 ? ": " : "", r->code, text);
}

static int
status_of(unsigned code)
{
	if (code / 100 == 4) {
		return EX_TEMPFAIL;
	}
	return code == 535 ? EX_NOPERM : EX_UNAVAILABLE;
}

static void
expect(struct submit *s, unsigned kind)
{
	const struct smtp_reply *r = reply(s);

	if (r->code / 100 != kind) {
		print_refusal(r, STR(""));
		exit(status_of(r->code));
	}
}

static void
command(struct submit *s, const char *line, unsigned kind)
{
	put(s, line, strlen(line));
	expect(s, kind);
}

static void
hello(struct submit *s)
{
	struct buf line = { 0 };

	buf_printf(&line, "EHLO %s\r\n", client_conf()->myhostname);
	put(s, line.p, line.len);
	buf_fini(&line);
	expect(s, 2);
	ehlo_parse(s->parser.reply.text, s->parser.reply.text_len, &s->ehlo);
}

/* ---- TLS ------------------------------------------------------------------
 */

/* Our own server is who has our own certificate, whatever it is worth. */
static void
trust(struct submit *s)
{
	const char *own = client_conf()->smtpd_tls_cert_file;

	SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
	if (s->host[0] != '\0') {
		(void)SSL_CTX_set_default_verify_paths(s->context);
		return;
	}
	(void)X509_VERIFY_PARAM_set_flags(
	    SSL_CTX_get0_param(s->context), X509_V_FLAG_PARTIAL_CHAIN);
	if (SSL_CTX_load_verify_file(s->context, own) != 1) {
		client_die(EX_CONFIG,
		    "smtpd_tls_cert_file: %s cannot be read, so the server "
		    "cannot be told from another",
		    own);
	}
}

static void
start_tls(struct submit *s)
{
	command(s, "STARTTLS\r\n", 2);
	s->context = SSL_CTX_new(TLS_client_method());
	s->tls = s->context != NULL ? SSL_new(s->context) : NULL;
	if (s->tls == NULL || s->input_at != s->input_len) {
		client_die(EX_PROTOCOL, "the server speaks before TLS");
	}
	SSL_free(s->tls);
	(void)SSL_CTX_set_min_proto_version(s->context, TLS1_2_VERSION);
	trust(s);
	s->tls = SSL_new(s->context);
	if (s->tls == NULL || SSL_set_fd(s->tls, s->fd) != 1 ||
	    (s->host[0] != '\0' &&
		(SSL_set1_host(s->tls, s->host) != 1 ||
		    SSL_set_tlsext_host_name(s->tls, s->host) != 1)) ||
	    SSL_connect(s->tls) != 1) {
		long v =
		    s->tls != NULL ? SSL_get_verify_result(s->tls) : X509_V_OK;

		client_die(EX_PROTOCOL, "TLS: %s",
		    v != X509_V_OK ? X509_verify_cert_error_string(v)
				   : ERR_reason_error_string(ERR_get_error()));
	}
}

/* ---- interface ------------------------------------------------------------
 */

static struct submit *
open_connection(void)
{
	static const struct smtp_reply_limits limits = { SMTP_REPLY_LINE_MAX,
		SMTP_REPLY_LINES_MAX };
	struct submit *s = mem_alloc(sizeof(*s));
	char host[256], port[16];
	bool is_here;

	find_server(host, sizeof(host), port, sizeof(port), &is_here);
	if (!is_here) {
		str_copy(s->host, sizeof(s->host), str_of(host));
	}
	smtp_reply_init(&s->parser, &limits, s->text, sizeof(s->text) - 1);
	s->fd = connect_to(host, port);
	return s;
}

struct submit *
submit_open(void)
{
	struct submit *s = open_connection();
	struct submit_key key;
	struct buf line = { 0 };

	expect(s, 2);
	hello(s);
	if (!submit_key_load(&key)) {
		return s;
	}
	if ((s->ehlo.caps & EHLO_STARTTLS) == 0) {
		client_die(EX_UNAVAILABLE,
		    "the server has no STARTTLS, and the key of "
		    "sendmail_key_file is sent inside TLS only");
	}
	start_tls(s);
	hello(s);
	submit_key_plain(&key, &line);
	put(s, line.p, line.len);
	buf_fini(&line);
	expect(s, 2);
	return s;
}

static bool
has_high_byte(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] > 127) {
			return true;
		}
	}
	return false;
}

/* Bytes above 127 in an address or in the header: RFC 6531. */
static bool
needs_utf8(const struct submit_envelope *e, struct str content)
{
	const char *end = memmem(content.p, content.len, "\r\n\r\n", 4);
	struct str header = { content.p,
		end != NULL ? (size_t)(end - content.p) : content.len };
	bool is_needed = has_high_byte(e->sender) || has_high_byte(header);

	for (size_t i = 0; i < e->n_rcpts && !is_needed; i++) {
		is_needed = has_high_byte(e->rcpts[i]);
	}
	return is_needed;
}

static void
send_envelope(
    struct submit *s, const struct submit_envelope *e, struct str content)
{
	bool has_dsn = (s->ehlo.caps & EHLO_DSN) != 0;
	struct buf line = { 0 };
	unsigned refused = 0;

	buf_printf(&line, "MAIL FROM:<%.*s>%s%s%s\r\n", STR_ARG(e->sender),
	    has_high_byte(content) && (s->ehlo.caps & EHLO_8BITMIME) != 0
		? " BODY=8BITMIME"
		: "",
	    needs_utf8(e, content) && (s->ehlo.caps & EHLO_SMTPUTF8) != 0
		? " SMTPUTF8"
		: "",
	    has_dsn ? e->mail_params : "");
	put(s, line.p, line.len);
	expect(s, 2);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct smtp_reply *r;

		buf_clear(&line, 4096);
		buf_printf(&line, "RCPT TO:<%.*s>%s\r\n", STR_ARG(e->rcpts[i]),
		    has_dsn ? e->rcpt_params : "");
		put(s, line.p, line.len);
		r = reply(s);
		if (r->code / 100 != 2) {
			print_refusal(r, e->rcpts[i]);
			refused = refused / 100 == 5 ? refused : r->code;
		}
	}
	buf_fini(&line);
	if (refused != 0) {
		client_die(status_of(refused), "nothing was sent");
	}
}

/* RFC 5321 section 4.5.2. */
static void
send_content(struct submit *s, struct str content)
{
	struct buf wire = { 0 };
	const char *at = content.p, *end = content.p + content.len;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((nl != NULL ? nl + 1 : end) - at);

		if (*at == '.') {
			buf_puts(&wire, ".");
		}
		buf_add(&wire, at, n);
		at += n;
	}
	buf_puts(&wire, ".\r\n");
	put(s, wire.p, wire.len);
	buf_fini(&wire);
}

const char *
submit_message(
    struct submit *s, const struct submit_envelope *e, struct str content)
{
	send_envelope(s, e, content);
	command(s, "DATA\r\n", 3);
	send_content(s, content);
	expect(s, 2);
	return s->text;
}

void
submit_close(struct submit **sp)
{
	struct submit *s = *sp;

	if (s == NULL) {
		return;
	}
	put(s, "QUIT\r\n", 6);
	SSL_free(s->tls);
	SSL_CTX_free(s->context);
	(void)close(s->fd);
	free(s);
	*sp = NULL;
}

/* Moves what is there; false at the end. */
static bool
copy(int from, int to)
{
	char bytes[16384];
	ssize_t n = read(from, bytes, sizeof(bytes)), done = 0;

	while (done < n) {
		ssize_t k = write(to, bytes + done, (size_t)(n - done));

		if (k <= 0) {
			return false;
		}
		done += k;
	}
	return n > 0;
}

void
submit_pass_through(void)
{
	struct submit *s = open_connection();
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = s->fd, .events = POLLIN } };

	for (;;) {
		int n = poll(fds, 2, fds[0].fd < 0 ? LAST_REPLIES_MS : -1);

		if (n < 0 && errno != EINTR) {
			client_die(EX_OSERR, "poll: %s", strerror(errno));
		}
		if (n == 0) {
			break;
		}
		if (fds[1].revents != 0 && !copy(s->fd, STDOUT_FILENO)) {
			break;
		}
		if (fds[0].revents != 0 && !copy(STDIN_FILENO, s->fd)) {
			/* A half-closed connection would be a lost one. */
			fds[0].fd = -1;
		}
	}
	(void)close(s->fd);
	free(s);
}
