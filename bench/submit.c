/*
 * Submits mail over STARTTLS and AUTH PLAIN, a full handshake for each
 * connection: what Postfix's smtp-source cannot do. One blocking thread for
 * each session; any unexpected reply ends the program with an error.
 *
 *	submit [-d] [-s sessions] [-m messages] [-l bytes] [-f sender]
 *	    [-t recipient] user password port
 *
 *	-d	many messages on a connection
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct session {
	int fd;
	SSL *ssl; /* NULL: in clear */
	size_t at;
	size_t len;
	char in[4096];
};

static const char *sender = "bench@sender.example";
static const char *recipient = "user@rcpt.example";
static char login[1024]; /* base64 */
static char *content;
static size_t content_len;
static uint16_t port;
static bool is_reused;
static atomic_long left;
static SSL_CTX *tls;

static void
die(const char *what, const char *detail)
{
	fprintf(stderr, "submit: %s: %s\n", what, detail);
	exit(1);
}

static char
next_byte(struct session *s)
{
	if (s->at == s->len) {
		ssize_t n = s->ssl != NULL
		    ? SSL_read(s->ssl, s->in, sizeof(s->in))
		    : recv(s->fd, s->in, sizeof(s->in), 0);

		if (n <= 0) {
			die("read", "the connection is lost");
		}
		s->at = 0;
		s->len = (size_t)n;
	}
	return s->in[s->at++];
}

/* Reads a whole reply, which must have this code. */
static void
expect(struct session *s, const char *code)
{
	char line[1024] = "";
	size_t n = 0;

	for (;;) {
		char c = next_byte(s);

		if (c != '\n') {
			if (n < sizeof(line) - 1) {
				line[n++] = c;
			}
			continue;
		}
		line[n] = '\0';
		if (n < 4 || line[3] != '-') {
			break;
		}
		n = 0;
	}
	if (strncmp(line, code, 3) != 0) {
		die("unexpected reply", line);
	}
}

static void
put(struct session *s, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = s->ssl != NULL ? SSL_write(s->ssl, p, (int)n)
					      : send(s->fd, p, n, MSG_NOSIGNAL);

		if (done <= 0) {
			die("write", "the connection is lost");
		}
		p += done;
		n -= (size_t)done;
	}
}

__attribute__((format(printf, 3, 4))) static void
say(struct session *s, const char *code, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	put(s, line, (size_t)n);
	expect(s, code);
}

static void
begin(struct session *s)
{
	static const int one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*s = (struct session){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(s->fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		die("connect", "refused");
	}
	expect(s, "220");
	say(s, "250", "EHLO client.example\r\n");
	say(s, "220", "STARTTLS\r\n");
	s->ssl = SSL_new(tls);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1 ||
	    SSL_connect(s->ssl) != 1) {
		die("STARTTLS", "the handshake failed");
	}
	say(s, "250", "EHLO client.example\r\n");
	say(s, "235", "AUTH PLAIN %s\r\n", login);
}

static void
end(struct session *s)
{
	say(s, "221", "QUIT\r\n");
	(void)SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	(void)close(s->fd);
}

static void
send_message(struct session *s)
{
	say(s, "250", "MAIL FROM:<%s>\r\n", sender);
	say(s, "250", "RCPT TO:<%s>\r\n", recipient);
	say(s, "354", "DATA\r\n");
	put(s, content, content_len);
	expect(s, "250");
}

static void *
run(void *arg)
{
	struct session s;
	bool is_open = false;

	(void)arg;
	while (atomic_fetch_sub(&left, 1) > 0) {
		if (!is_open) {
			begin(&s);
			is_open = true;
		}
		send_message(&s);
		if (!is_reused) {
			end(&s);
			is_open = false;
		}
	}
	if (is_open) {
		end(&s);
	}
	return NULL;
}

static void
make_content(size_t size)
{
	static const char line[] =
	    "The quick brown fox jumps over the lazy dog and back again.\r\n";

	content = malloc(size + 2048);
	if (content == NULL) {
		die("malloc", "no memory");
	}
	content_len = (size_t)sprintf(content,
	    "From: <%s>\r\nTo: <%s>\r\nSubject: benchmark\r\n"
	    "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
	    "Message-Id: <benchmark@client.example>\r\n\r\n",
	    sender, recipient);
	while (content_len < size) {
		memcpy(content + content_len, line, sizeof(line) - 1);
		content_len += sizeof(line) - 1;
	}
	memcpy(content + content_len, ".\r\n", 3);
	content_len += 3;
}

static void
make_login(const char *user, const char *password)
{
	unsigned char raw[512];
	int n = snprintf(
	    (char *)raw, sizeof(raw), "%c%s%c%s", 0, user, 0, password);

	if (n < 0 || (size_t)n >= sizeof(raw)) {
		die("password", "too long");
	}
	(void)EVP_EncodeBlock((unsigned char *)login, raw, n);
}

static void
run_all(long sessions)
{
	pthread_t *threads = calloc((size_t)sessions, sizeof(*threads));

	if (threads == NULL) {
		die("calloc", "no memory");
	}
	for (long i = 0; i < sessions; i++) {
		if (pthread_create(&threads[i], NULL, run, NULL) != 0) {
			die("pthread_create", "no thread");
		}
	}
	for (long i = 0; i < sessions; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	free(threads);
}

int
main(int argc, char **argv)
{
	long sessions = 1, size = 4096, messages = 1;
	int opt;

	while ((opt = getopt(argc, argv, "ds:m:l:f:t:")) != -1) {
		switch (opt) {
		case 'd':
			is_reused = true;
			break;
		case 's':
			sessions = atol(optarg);
			break;
		case 'm':
			messages = atol(optarg);
			break;
		case 'l':
			size = atol(optarg);
			break;
		case 'f':
			sender = optarg;
			break;
		case 't':
			recipient = optarg;
			break;
		default:
			return 64;
		}
	}
	if (argc - optind != 3 || sessions < 1 || size < 1) {
		fputs("usage: submit [options] user password port\n", stderr);
		return 64;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	make_login(argv[optind], argv[optind + 1]);
	port = (uint16_t)atoi(argv[optind + 2]);
	make_content((size_t)size);
	atomic_store(&left, messages);
	tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL) {
		die("SSL_CTX_new", "failed");
	}
	run_all(sessions);
	return 0;
}
