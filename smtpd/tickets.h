/*
 * TLS session tickets (RFC 5077, RFC 8446 section 4.6.1) sealed with keys
 * that all smtpd processes have from master.
 */
#ifndef SMTPD_TICKETS_H
#define SMTPD_TICKETS_H

#include <openssl/ssl.h>

#include "ipc.h"

/* Sets up c: tickets that are good for smtpd_tls_ticket_time, or none. */
void tickets_init(SSL_CTX *c);
void tickets_fini(void);

/* Seals with the current key from now on. */
void tickets_set_keys(const struct ipc_ticket_key *m);

#endif
