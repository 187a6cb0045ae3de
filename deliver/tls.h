/*
 * TLS to servers: one context for all, sessions remembered for resumption,
 * and what was negotiated as facts. What is required is tls_policy.h's.
 */
#ifndef DELIVER_TLS_H
#define DELIVER_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "facts.h"
#include "plan.h"

/* Loads the certificates of authorities; before the process is confined. */
void tls_init(void);
void tls_fini(void);

/*
 * A client's SSL for stream_start_tls. host is the server's name, sent as
 * SNI and compared with the certificate, unless it is an address. key names
 * the server for resumption; where its certificate must be verified, a session
 * in which it was not is not resumed. NULL when memory or the configuration
 * fails.
 */
SSL *tls_client(
    const char *host, bool is_address, const char *key, bool must_verify);

/* Is it a record that SMTP can use: DANE-TA or DANE-EE (RFC 7672 section 3.1)
 * with known parameters? */
bool tls_tlsa_is_usable(const struct plan_tlsa *t);

/*
 * The same with TLSA records instead of the authorities. domain: the next
 * hop, whose name may stand in the certificate instead of host's; empty when
 * there was no name before. Such sessions are never resumed: the records may
 * say something else by then.
 */
SSL *tls_client_dane(const char *host, const char *domain,
    const struct plan_tlsa *tlsa, unsigned n);

/* After the handshake: protocol, cipher, certificate, verification. */
void tls_read_facts(SSL *ssl, struct facts_tls *out);

/* Why the certificate was not verified, for people. */
const char *tls_verify_text(SSL *ssl);

/* The server's session is worth nothing: forget it. */
void tls_forget(const char *key);

#endif
