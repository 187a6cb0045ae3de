/*
 * What is known about a connection and the transaction over it, for results.
 */
#ifndef DELIVER_FACTS_H
#define DELIVER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "uuid.h"

/* Of one transaction; begun anew with each. Milliseconds. */
struct facts_times {
	uint32_t dns_ms;
	uint32_t connect_ms; /* these three: 0 on a reused connection */
	uint32_t tls_ms;
	uint32_t helo_ms;
	uint32_t mail_ms;
	uint32_t rcpt_ms;
	uint32_t data_ms;
};

struct facts_tls {
	const char *policy; /* of struct tls_policy */
	const char *source;
	const char *result;	  /* none encrypted verified failed */
	const char *verify_error; /* of the certificate; NULL: none */
	bool is_verified;
	bool is_fallback; /* in clear after TLS failed */
	char proto[16];
	char cipher[64];
	char cert_name[256];
	char cert_fp[96];
};

struct facts {
	char source_ip[46];
	uint16_t source_port;
	const char *source_name; /* EHLO name; lives as long as its path */
	char dest_ip[46];
	uint16_t dest_port;
	char dest_host[256];
	uint16_t pref;
	char esmtp[256]; /* keywords of the EHLO reply, with blanks */
	char session_id[UUID_TEXT_SIZE];
	uint16_t conn_use; /* transactions begun on this connection */
	uint64_t size;	   /* content bytes sent */
	struct facts_tls tls;
	struct facts_times times;
};

#endif
