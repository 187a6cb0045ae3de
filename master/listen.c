#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master.h"
#include "str.h"

#define BACKLOG 4096

struct listener {
	struct listener *next;
	int fd;
	uint16_t port;
	char address[64]; /* as written: "127.0.0.1:587" */
	char role[16];
};

static struct listener *listeners;

static void
listener_free(struct listener *l)
{
	if (l->fd >= 0) {
		(void)close(l->fd);
	}
	free(l);
}

static void
free_list(struct listener *l)
{
	while (l != NULL) {
		struct listener *next = l->next;

		listener_free(l);
		l = next;
	}
}

/* Splits "address:port/role"; an IPv6 address stands in brackets. */
static int
parse(struct str word, struct listener *l, char *host, size_t host_size,
    char *port, size_t port_size)
{
	const char *slash = memrchr(word.p, '/', word.len);
	struct str address, name;
	const char *colon;
	uint64_t number;

	if (slash == NULL) {
		return -EINVAL;
	}
	address = (struct str){ word.p, (size_t)(slash - word.p) };
	name =
	    (struct str){ slash + 1, word.len - (size_t)(slash + 1 - word.p) };
	if (!str_is(name, "submission") && !str_is(name, "submissions") &&
	    !str_is(name, "mx")) {
		return -EINVAL;
	}
	colon = memrchr(address.p, ':', address.len);
	if (colon == NULL || address.len >= sizeof(l->address)) {
		return -EINVAL;
	}
	str_copy(l->address, sizeof(l->address), address);
	str_copy(l->role, sizeof(l->role), name);
	str_copy(port, port_size,
	    (struct str){
		colon + 1, address.len - (size_t)(colon + 1 - address.p) });
	if (str_u64(str_of(port), 65535, &number) < 0 || number == 0) {
		return -EINVAL;
	}
	l->port = (uint16_t)number;
	address.len = (size_t)(colon - address.p);
	if (address.len >= 2 && address.p[0] == '[' &&
	    address.p[address.len - 1] == ']') {
		address.p++;
		address.len -= 2;
	}
	str_copy(host, host_size, address);
	return 0;
}

static int
bind_address(struct listener *l, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *a;
	int one = 1, r = 0;

	if (getaddrinfo(host, port, &hints, &a) != 0) {
		return -EINVAL;
	}
	l->fd =
	    socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0) {
		r = -errno;
	} else {
		(void)setsockopt(
		    l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (a->ai_family == AF_INET6) {
			(void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
			    sizeof(one));
		}
		if (bind(l->fd, a->ai_addr, a->ai_addrlen) < 0 ||
		    listen(l->fd, BACKLOG) < 0) {
			r = -errno;
		}
	}
	freeaddrinfo(a);
	return r;
}

struct binding {
	struct listener *list;
	struct buf *error;
};

/* The socket that is bound already, as a descriptor of our own. */
static int
reuse(const char *address)
{
	for (struct listener *l = listeners; l != NULL; l = l->next) {
		if (strcmp(l->address, address) == 0) {
			return dup(l->fd);
		}
	}
	return -1;
}

static int
bind_word(void *arg, const char *word, size_t len)
{
	struct binding *b = arg;
	struct listener *l = mem_alloc(sizeof(*l));
	char host[64], port[8];
	int r;

	l->fd = -1;
	r = parse((struct str){ word, len }, l, host, sizeof(host), port,
	    sizeof(port));
	if (r < 0) {
		buf_printf(b->error,
		    "smtpd_listen: %.*s is not address:port/role with role "
		    "submission, submissions or mx",
		    (int)len, word);
		listener_free(l);
		return r;
	}
	l->fd = reuse(l->address);
	if (l->fd < 0) {
		r = bind_address(l, host, port);
	}
	if (r < 0) {
		buf_printf(b->error, "smtpd_listen: %s: %s", l->address,
		    r == -EINVAL ? "not a numeric address" : strerror(-r));
		listener_free(l);
		return r;
	}
	l->next = b->list;
	b->list = l;
	return 0;
}

int
listen_bind(const struct conf *c, struct buf *error)
{
	struct binding b = { NULL, error };
	int r = conf_list_each(c->smtpd_listen, bind_word, &b);

	if (r < 0) {
		free_list(b.list);
		return r;
	}
	free_list(listeners);
	listeners = b.list;
	return 0;
}

void
listen_send(struct peer *smtpd)
{
	for (struct listener *l = listeners; l != NULL; l = l->next) {
		struct ipc_listen m = { .address = str_of(l->address),
			.port = l->port,
			.role = str_of(l->role) };

		(void)peer_send_fd(smtpd, IPC_listen, 0, &m, l->fd);
	}
}

void
listen_fini(void)
{
	free_list(listeners);
	listeners = NULL;
}
