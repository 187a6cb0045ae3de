/*
 * Submits mail over STARTTLS and AUTH PLAIN, a full handshake for each
 * connection: what Postfix's smtp-source cannot do. One blocking thread for
 * each session; any unexpected reply ends the program with an error.
 *
 *	submit [-adr] [-s sessions] [-m messages] [-l bytes] [-f sender]
 *	    [-t recipient] [-k file | user password] port
 *
 *	-a	no AUTH
 *	-d	many messages on a connection
 *	-k	each connection takes another line of the file: user password
 *	-r	each message goes to another address of the recipient's domain
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
static char **logins; /* base64; NULL: no AUTH */
static size_t n_logins;
static atomic_size_t next_login;
static bool is_spread;
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
	if (n_logins > 0) {
		/* A prime step: neighbours are of different accounts. */
		size_t n = atomic_fetch_add(&next_login, 7919);

		say(s, "235", "AUTH PLAIN %s\r\n", logins[n % n_logins]);
	}
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
send_message(struct session *s, long number)
{
	say(s, "250", "MAIL FROM:<%s>\r\n", sender);
	if (is_spread) {
		unsigned long n = (unsigned long)number * 2654435761UL;

		say(s, "250", "RCPT TO:<user-%lx%s>\r\n", n,
		    strchr(recipient, '@'));
	} else {
		say(s, "250", "RCPT TO:<%s>\r\n", recipient);
	}
	say(s, "354", "DATA\r\n");
	put(s, content, content_len);
	expect(s, "250");
}

static void *
run(void *arg)
{
	struct session s;
	bool is_open = false;
	long number;

	(void)arg;
	while ((number = atomic_fetch_sub(&left, 1)) > 0) {
		if (!is_open) {
			begin(&s);
			is_open = true;
		}
		send_message(&s, number);
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
add_login(const char *user, const char *password)
{
	unsigned char raw[512];
	int n = snprintf(
	    (char *)raw, sizeof(raw), "%c%s%c%s", 0, user, 0, password);

	if (n < 0 || (size_t)n >= sizeof(raw)) {
		die("password", "too long");
	}
	if ((n_logins & (n_logins + 1)) == 0) { /* full, at 0, 1, 3, 7 ... */
		logins = realloc(logins, (2 * n_logins + 1) * sizeof(*logins));
	}
	if (logins == NULL || (logins[n_logins] = malloc(1024)) == NULL) {
		die("malloc", "no memory");
	}
	(void)EVP_EncodeBlock((unsigned char *)logins[n_logins++], raw, n);
}

static void
read_logins(const char *path)
{
	FILE *f = fopen(path, "re");
	char user[128], password[128];

	if (f == NULL) {
		die(path, "cannot be read");
	}
	while (fscanf(f, "%127s %127s", user, password) == 2) {
		add_login(user, password);
	}
	(void)fclose(f);
	if (n_logins == 0) {
		die(path, "has no lines");
	}
}

/* Who logs in, from what is left of the arguments; the port is the last. */
static void
take_operands(int argc, char **argv, bool has_auth)
{
	if (argc != (has_auth && n_logins == 0 ? 3 : 1)) {
		fputs("usage: submit [options] [-a | -k file | user password] "
		      "port\n",
		    stderr);
		exit(64);
	}
	if (argc == 3) {
		add_login(argv[0], argv[1]);
	}
	port = (uint16_t)atoi(argv[argc - 1]);
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
	bool has_auth = true;
	int opt;

	while ((opt = getopt(argc, argv, "adk:rs:m:l:f:t:")) != -1) {
		switch (opt) {
		case 'a':
			has_auth = false;
			break;
		case 'k':
			read_logins(optarg);
			break;
		case 'r':
			is_spread = true;
			break;
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
	take_operands(argc - optind, argv + optind, has_auth);
	if (sessions < 1 || size < 1) {
		return 64;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	make_content((size_t)size);
	atomic_store(&left, messages);
	tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL) {
		die("SSL_CTX_new", "failed");
	}
	run_all(sessions);
	return 0;
}
