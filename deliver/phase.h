/*
 * The steps of a connection: what is waited for, for how long, and how logs
 * and results call it.
 */
#ifndef DELIVER_PHASE_H
#define DELIVER_PHASE_H

#include <stdint.h>

#include "reply_class.h"

enum phase {
	PHASE_CONNECT,
	PHASE_GREETING,
	PHASE_EHLO,
	PHASE_HELO,
	PHASE_STARTTLS,
	PHASE_TLS, /* the handshake */
	PHASE_AUTH,
	PHASE_LOAD, /* nothing: a big content is being verified */
	PHASE_RSET,
	PHASE_MAIL,
	PHASE_RCPT,
	PHASE_DATA,
	PHASE_BODY, /* the content is on its way, its final dot is not out */
	PHASE_DOT,
	PHASE_ABORT, /* the reply to a dot behind no content: ignored */
	PHASE_IDLE,
	PHASE_QUIT, /* the server is expected to close */
	PHASE_CLOSED,
};

/* "RCPT TO": what was answered, for results; "" when nothing was said. */
const char *phase_command(enum phase p);

/* "sending RCPT TO": for "lost connection with ... while ...". */
const char *phase_doing(enum phase p);

/* How long the reply may take, microseconds; 0: for ever. */
uint64_t phase_timeout(enum phase p);

/* For the classification of a reply. */
enum reply_phase phase_reply(enum phase p);

#endif
