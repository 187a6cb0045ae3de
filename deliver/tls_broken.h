/*
 * Servers whose TLS handshake has failed: for smtp_tls_broken_time they are
 * spared another where clear text is allowed, so that it is not paid for with
 * every connection. Each process remembers its own.
 */
#ifndef DELIVER_TLS_BROKEN_H
#define DELIVER_TLS_BROKEN_H

#include <stdbool.h>

/* key names the server, as for tls_client. */
void tls_broken_remember(const char *key);
bool tls_broken_is(const char *key);

void tls_broken_fini(void);

#endif
