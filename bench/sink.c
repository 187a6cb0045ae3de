/*
 * An SMTP server that takes everything and keeps nothing: one thread, one
 * epoll. Its counters are in a mapped file, so that counting and reading them
 * costs no system call.
 *
 *	sink [-m] [-t domain] port counters
 *
 *	-m	mute: connections are taken and never greeted
 *	-t	recipients at this domain get 450
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define LINE_BYTES 1024
#define REPLY_BYTES 16384

/* bench/lib/load.py reads these. */
struct counters {
	uint64_t connections;
	uint64_t messages;   /* whose last dot has been read */
	uint64_t recipients; /* of these */
	uint64_t deferred;   /* recipients that got 450 */
	uint64_t bytes;
	uint64_t last_ns; /* when the last dot was read, CLOCK_MONOTONIC */
};

struct client {
	int fd;
	bool is_data;
	unsigned recipients;
	unsigned matched; /* bytes of END_OF_DATA seen */
	size_t line_len;
	size_t reply_len;
	char line[LINE_BYTES];
	char reply[REPLY_BYTES];
};

static const char END_OF_DATA[] = "\r\n.\r\n";

static struct counters *count;
static const char *deferred_domain;
static bool is_mute;
static int epoll_fd;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
answer(struct client *c, const char *text)
{
	size_t n = strlen(text);

	if (c->reply_len + n <= sizeof(c->reply)) {
		memcpy(c->reply + c->reply_len, text, n);
		c->reply_len += n;
	}
}

/* Replies are far smaller than a socket's buffer. False: the client left. */
static bool
flush(struct client *c)
{
	ssize_t n = send(c->fd, c->reply, c->reply_len, MSG_NOSIGNAL);
	bool is_whole = n == (ssize_t)c->reply_len;

	c->reply_len = 0;
	return is_whole;
}

static void
take_message(struct client *c)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	count->last_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	count->recipients += c->recipients;
	count->messages++;
	c->is_data = false;
	c->recipients = 0;
	answer(c, "250 2.0.0 Ok\r\n");
}

static bool
is_deferred(const struct client *c)
{
	return deferred_domain != NULL &&
	    strcasestr(c->line, deferred_domain) != NULL;
}

static bool
is_command(const struct client *c, const char *verb)
{
	return strncasecmp(c->line, verb, strlen(verb)) == 0;
}

static void
recipient(struct client *c)
{
	if (is_deferred(c)) {
		count->deferred++;
		answer(c, "450 4.2.0 Come again\r\n");
	} else {
		c->recipients++;
		answer(c, "250 2.1.5 Ok\r\n");
	}
}

static void
data(struct client *c)
{
	if (c->recipients == 0) {
		answer(c, "554 5.5.1 No recipients\r\n");
		return;
	}
	c->is_data = true;
	c->matched = 2; /* the data begins at a line's beginning */
	answer(c, "354 Go ahead\r\n");
}

/* False: the session is over. */
static bool
command(struct client *c)
{
	if (is_command(c, "RCPT")) {
		recipient(c);
	} else if (is_command(c, "DATA")) {
		data(c);
	} else if (is_command(c, "EHLO")) {
		answer(c,
		    "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250 ENHANCEDSTATUSCODES\r\n");
	} else if (is_command(c, "QUIT")) {
		answer(c, "221 2.0.0 Bye\r\n");
		(void)flush(c);
		return false;
	} else if (is_command(c, "MAIL") || is_command(c, "RSET") ||
	    is_command(c, "NOOP") || is_command(c, "HELO")) {
		c->recipients = 0;
		answer(c, "250 2.0.0 Ok\r\n");
	} else {
		answer(c, "502 5.5.2 Unknown\r\n");
	}
	return true;
}

/* Takes bytes of the content; returns how many belonged to it. */
static size_t
feed_data(struct client *c, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (c->matched == 0) {
			const char *cr = memchr(p + i, '\r', n - i);

			if (cr == NULL) {
				return n;
			}
			i = (size_t)(cr - p);
		}
		if (p[i] == END_OF_DATA[c->matched]) {
			c->matched++;
		} else {
			c->matched = p[i] == '\r';
		}
		i++;
		if (c->matched == sizeof(END_OF_DATA) - 1) {
			take_message(c);
			break;
		}
	}
	return i;
}

/* Takes bytes of a command line; returns how many, 0: the session is over. */
static size_t
feed_line(struct client *c, const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	size_t used = end != NULL ? (size_t)(end - p) + 1 : n;

	if (c->line_len + used >= sizeof(c->line)) {
		return 0;
	}
	memcpy(c->line + c->line_len, p, used);
	c->line_len += used;
	if (end != NULL) {
		c->line[c->line_len] = '\0';
		c->line_len = 0;
		return command(c) ? used : 0;
	}
	return used;
}

/* False: the session is over. */
static bool
feed(struct client *c, const char *p, size_t n)
{
	count->bytes += n;
	while (n > 0) {
		size_t used =
		    c->is_data ? feed_data(c, p, n) : feed_line(c, p, n);

		if (used == 0) {
			return false;
		}
		p += used;
		n -= used;
	}
	return c->reply_len == 0 || flush(c);
}

static void
on_bytes(struct client *c)
{
	static char buf[128 * 1024];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0 || !feed(c, buf, (size_t)n)) {
		(void)close(c->fd);
		free(c);
	}
}

static void
watch(int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		die("epoll_ctl");
	}
}

static void
on_connections(int listener)
{
	static const int one = 1;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct client *c = calloc(1, sizeof(*c));

		if (c == NULL) {
			die("calloc");
		}
		count->connections++;
		c->fd = fd;
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!is_mute) {
			answer(c, "220 sink.test ESMTP\r\n");
			(void)flush(c);
		}
		watch(fd, c);
	}
}

static int
listen_on(uint16_t port)
{
	static const int one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, 4096) < 0) {
		die("listen");
	}
	return fd;
}

static void
map_counters(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, sizeof(*count)) < 0) {
		die(path);
	}
	count = mmap(
	    NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (count == MAP_FAILED) {
		die("mmap");
	}
}

static void
serve(int listener)
{
	struct epoll_event ready[EVENTS];

	watch(listener, NULL);
	for (;;) {
		int n = epoll_wait(epoll_fd, ready, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (ready[i].data.ptr == NULL) {
				on_connections(listener);
			} else {
				on_bytes(ready[i].data.ptr);
			}
		}
	}
}

int
main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "mt:")) != -1) {
		switch (opt) {
		case 'm':
			is_mute = true;
			break;
		case 't':
			deferred_domain = optarg;
			break;
		default:
			return 64;
		}
	}
	if (argc - optind != 2) {
		fputs("usage: sink [-m] [-t domain] port counters\n", stderr);
		return 64;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	map_counters(argv[optind + 1]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	serve(listen_on((uint16_t)atoi(argv[optind])));
	return 0;
}
