/* The addresses of a stream's ends as text. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "stream_impl.h"

void
stream_print_address(const struct sockaddr_storage *a, char *ip, uint16_t *port)
{
	*port = 0;
	str_copy(ip, 46, STR("unknown"));
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a;

		(void)inet_ntop(AF_INET, &in->sin_addr, ip, 46);
		*port = ntohs(in->sin_port);
	} else if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			(void)inet_ntop(
			    AF_INET, in6->sin6_addr.s6_addr + 12, ip, 46);
		} else {
			(void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, 46);
		}
		*port = ntohs(in6->sin6_port);
	}
}

void
stream_peer_name(const struct stream *s, char *ip, uint16_t *port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	(void)getpeername(s->fd, (struct sockaddr *)&a, &len);
	stream_print_address(&a, ip, port);
}

void
stream_own_name(const struct stream *s, char *ip, uint16_t *port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	(void)getsockname(s->fd, (struct sockaddr *)&a, &len);
	stream_print_address(&a, ip, port);
}
