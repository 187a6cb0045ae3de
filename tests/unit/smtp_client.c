#include "smtp_client.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_loop.h"
#include "worker.h"

struct client_end end = { .fd = -1 };
const char *client_file;
unsigned client_line;

void
client_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", client_file, client_line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	fflush(stderr);
	_exit(1);
}

/* ---- text --------------------------------------------------------------- */

void
client_unescape(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		if (*s != '\\') {
			buf_u8(out, (uint8_t)*s);
			continue;
		}
		s++;
		switch (*s) {
		case 'r':
			buf_u8(out, '\r');
			break;
		case 'n':
			buf_u8(out, '\n');
			break;
		case 't':
			buf_u8(out, '\t');
			break;
		case '0':
			buf_u8(out, 0);
			break;
		case 'x': {
			uint8_t byte;

			if (str_unhex(&byte, 1, (struct str){ s + 1, 2 }) < 0) {
				client_fail("bad escape");
			}
			buf_u8(out, byte);
			s += 2;
			break;
		}
		default:
			buf_u8(out, (uint8_t)*s);
			break;
		}
	}
}

bool
client_matches(const char *pattern, struct str s)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '*') {
			do {
				if (client_matches(pattern + 1, s)) {
					return true;
				}
				s.p++;
			} while (s.len-- > 0);
			return false;
		}
		if (s.len == 0 || *s.p != *pattern) {
			return false;
		}
		s.p++;
		s.len--;
	}
	return s.len == 0;
}

/* ---- the wire ----------------------------------------------------------- */

static void
pull(void)
{
	char data[16384];

	for (;;) {
		ssize_t n = end.ssl != NULL
		    ? SSL_read(end.ssl, data, sizeof(data))
		    : recv(end.fd, data, sizeof(data), MSG_DONTWAIT);

		if (n > 0) {
			buf_add(&end.in, data, (size_t)n);
			continue;
		}
		if (end.ssl != NULL) {
			int e = SSL_get_error(end.ssl, (int)n);

			end.is_closed |= e != SSL_ERROR_WANT_READ &&
			    e != SSL_ERROR_WANT_WRITE;
		} else {
			end.is_closed |=
			    n == 0 || (errno != EAGAIN && errno != EINTR);
		}
		return;
	}
}

void
client_settle(void)
{
	if (end.fd >= 0) {
		do {
			fake_loop_settle();
			pull();
		} while (fake_loop_turn());
	} else {
		fake_loop_settle();
	}
}

void
client_push(struct str s)
{
	while (s.len != 0 && !end.is_closed) {
		ssize_t n = end.ssl != NULL
		    ? SSL_write(end.ssl, s.p, (int)s.len)
		    : send(end.fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			s.p += n;
			s.len -= (size_t)n;
		} else if (end.ssl == NULL && errno != EAGAIN) {
			end.is_closed = true;
		}
		if (s.len != 0) {
			client_settle();
		}
	}
}

void
client_open(const char *before)
{
	int pair[2];
	struct buf first = { 0 };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
		abort();
	}
	end.fd = pair[0];
	end.is_closed = false;
	buf_clear(&end.in, 0);
	client_unescape(before, &first);
	client_push(buf_str(&first));
	buf_fini(&first);
	worker_serve(pair[1], end.role, end.ip, 4321);
}

void
client_close(void)
{
	SSL_free(end.ssl);
	end.ssl = NULL;
	if (end.fd >= 0) {
		(void)close(end.fd);
	}
	end.fd = -1;
	client_settle();
}

void
client_close_half(void)
{
	if (end.ssl != NULL) {
		(void)SSL_shutdown(end.ssl);
	}
	(void)shutdown(end.fd, SHUT_WR);
	client_settle();
}

void
client_start_tls(bool must_fail, int max_version)
{
	int r;

	if (end.ctx == NULL) {
		end.ctx = SSL_CTX_new(TLS_client_method());
	}
	(void)SSL_CTX_set_max_proto_version(end.ctx, max_version);
	if (max_version != 0) {
		SSL_CTX_set_security_level(end.ctx, 0);
	}
	end.ssl = SSL_new(end.ctx);
	(void)SSL_set_fd(end.ssl, end.fd);
	SSL_set_connect_state(end.ssl);
	(void)fcntl(end.fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 50; i++) {
		r = SSL_do_handshake(end.ssl);
		if (r == 1 ||
		    SSL_get_error(end.ssl, r) != SSL_ERROR_WANT_READ) {
			break;
		}
		fake_loop_settle();
	}
	if ((r == 1) == must_fail) {
		client_fail("handshake: %d", r);
	}
}

/* ---- certificate --------------------------------------------------------- */

void
client_make_certificate(char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"mx.test", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	PEM_write_X509(f, cert);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}
