#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "domain.h"
#include "str.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t
set_address(union address *a, int family, const uint8_t *b, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (family == AF_INET6) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		memcpy(&a->in6.sin6_addr, b, 16);
		return sizeof(a->in6);
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons(port);
	memcpy(&a->in.sin_addr, b, 4);
	return sizeof(a->in);
}

/*
 * The port is chosen at connect, not at bind: else one source address could
 * not hold more connections than there are ports, to all servers together.
 */
static int
bind_source(int fd, const char *source_ip)
{
	struct domain_ip ip;
	union address a;
	socklen_t len;
	int one = 1;

	if (domain_ip_parse(source_ip, strlen(source_ip), &ip) < 0) {
		return -EADDRNOTAVAIL;
	}
	len = set_address(&a, ip.family, ip.addr, 0);
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, &a.any, len) < 0 ? -errno : 0;
}

int
dial(const struct plan_address *to, uint16_t port, const char *source_ip,
    stream_fn *fn, void *arg, struct stream **out)
{
	int family = to->family == 6 ? AF_INET6 : AF_INET;
	union address a;
	socklen_t len;
	int fd = socket(
	    family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int r;

	if (fd < 0) {
		return -errno;
	}
	if (source_ip[0] != '\0') {
		r = bind_source(fd, source_ip);
		if (r < 0) {
			(void)close(fd);
			return r;
		}
	}
	len = set_address(&a, family, to->b, port);
	*out = stream_connect(fd, &a.any, len, fn, arg);
	return 0;
}
