#include "phase.h"

#include <stddef.h>

#include "service.h"

struct phase_desc {
	const char *command;
	const char *doing;
	size_t timeout; /* offset of a uint64_t in struct conf; 0: none */
	enum reply_phase reply;
};

#define TIMEOUT(param) offsetof(struct conf, param)

static const struct phase_desc phases[] = {
	[PHASE_CONNECT] = { "", "connecting", TIMEOUT(smtp_connect_timeout),
	    REPLY_CONNECT },
	[PHASE_GREETING] = { "", "receiving the initial server greeting",
	    TIMEOUT(smtp_greeting_timeout), REPLY_CONNECT },
	[PHASE_EHLO] = { "EHLO", "performing the EHLO handshake",
	    TIMEOUT(smtp_helo_timeout), REPLY_CONNECT },
	[PHASE_HELO] = { "HELO", "performing the HELO handshake",
	    TIMEOUT(smtp_helo_timeout), REPLY_CONNECT },
	[PHASE_STARTTLS] = { "STARTTLS", "sending STARTTLS",
	    TIMEOUT(smtp_starttls_timeout), REPLY_STARTTLS },
	[PHASE_TLS] = { "STARTTLS", "performing the TLS handshake",
	    TIMEOUT(smtp_starttls_timeout), REPLY_STARTTLS },
	[PHASE_AUTH] = { "AUTH", "logging in by AUTH",
	    TIMEOUT(smtp_sasl_auth_timeout), REPLY_CONNECT },
	[PHASE_LOAD] = { "", "reading the message", 0, REPLY_MAIL },
	[PHASE_RSET] = { "RSET", "sending RSET", TIMEOUT(smtp_mail_timeout),
	    REPLY_MAIL },
	[PHASE_MAIL] = { "MAIL FROM", "sending MAIL FROM",
	    TIMEOUT(smtp_mail_timeout), REPLY_MAIL },
	[PHASE_RCPT] = { "RCPT TO", "sending RCPT TO",
	    TIMEOUT(smtp_rcpt_timeout), REPLY_RCPT },
	[PHASE_DATA] = { "DATA", "sending DATA command",
	    TIMEOUT(smtp_data_init_timeout), REPLY_DATA },
	[PHASE_BODY] = { "DATA", "sending message body",
	    TIMEOUT(smtp_data_xfer_timeout), REPLY_DOT },
	[PHASE_DOT] = { ".",
	    "sending end of data -- message may be sent more "
	    "than once",
	    TIMEOUT(smtp_data_done_timeout), REPLY_DOT },
	[PHASE_ABORT] = { ".", "ending a refused transaction",
	    TIMEOUT(smtp_mail_timeout), REPLY_DOT },
	[PHASE_IDLE] = { "", "waiting for work",
	    TIMEOUT(smtp_connection_idle_time), REPLY_CONNECT },
	[PHASE_QUIT] = { "QUIT", "closing", TIMEOUT(smtp_quit_timeout),
	    REPLY_CONNECT },
	[PHASE_CLOSED] = { "", "closing", 0, REPLY_CONNECT },
};

const char *
phase_command(enum phase p)
{
	return phases[p].command;
}

const char *
phase_doing(enum phase p)
{
	return phases[p].doing;
}

uint64_t
phase_timeout(enum phase p)
{
	if (phases[p].timeout == 0) {
		return 0;
	}
	return *(const uint64_t *)(const void *)((const char *)conf() +
	    phases[p].timeout);
}

enum reply_phase
phase_reply(enum phase p)
{
	return phases[p].reply;
}
