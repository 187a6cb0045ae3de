/*
 * The server side of TLS: one context for the process, tickets valid for the
 * role of the listener that gave them.
 */
#ifndef SMTPD_TLS_H
#define SMTPD_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "session.h"

/* Reads certificate and key; exits with a clear line when they are not
 * usable. No certificate configured: no TLS. */
void tls_init(void);
void tls_fini(void);

/* Is there a certificate? */
bool tls_is_available(void);

/* A fresh connection of the role. Never NULL when TLS is available. */
SSL *tls_new(enum port_role role);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty without TLS. */
void tls_describe(const struct session *s, char *dst, size_t size);

#endif
