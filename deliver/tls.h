/*
 * TLS to servers: one context for all, sessions remembered for resumption,
 * and what was negotiated as facts. What is required is tls_policy.h's.
 */
#ifndef DELIVER_TLS_H
#define DELIVER_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "facts.h"

/* Loads the certificates of authorities; before the process is confined. */
void tls_init(void);
void tls_fini(void);

/*
 * A client's SSL for stream_start_tls. host is the server's name, sent as
 * SNI and compared with the certificate, unless it is an address. key names
 * the server for resumption. NULL when memory or the configuration fails.
 */
SSL *tls_client(const char *host, bool is_address, const char *key);

/* After the handshake: protocol, cipher, certificate, verification. */
void tls_read_facts(SSL *ssl, struct facts_tls *out);

/* Why the certificate was not verified, for people. */
const char *tls_verify_text(SSL *ssl);

/* The server's session is worth nothing: forget it. */
void tls_forget(const char *key);

#endif
