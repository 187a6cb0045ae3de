/*
 * One client's connection: reads commands and content, writes replies. It
 * runs while there is input and nothing to wait for; an answer of another
 * process lets it run on. A client that closes only its own half is answered
 * to the last command it sent. A transaction (tx.h) hangs on it and is ended by
 * session_reset_tx alone.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "ask.h"
#include "attr.h"
#include "client.h"
#include "domain.h"
#include "ipc.h"
#include "peer.h"
#include "str.h"
#include "stream.h"
#include "uuid.h"

struct login;
struct tx;

enum port_role {
	PORT_SUBMISSION,  /* STARTTLS, then AUTH */
	PORT_SUBMISSIONS, /* TLS from the first byte */
	PORT_MX,	  /* reports to return paths; no AUTH */
};

/* What the next input is. */
enum session_mode {
	MODE_HANDSHAKE, /* nothing for us: TLS is being set up */
	MODE_COMMAND,
	MODE_SKIP_LINE, /* the rest of a command that is too long */
	MODE_AUTH,	/* a response of the SASL dialogue */
	MODE_DATA,
	MODE_BDAT,
	MODE_BDAT_SKIP, /* a chunk that does not count */
};

/* Whom the client's mail belongs to. */
struct session_account {
	bool is_known;
	uint32_t account;
	uint32_t subaccount;
	uint32_t key;
	char name[255]; /* NAME or NAME/SUB */
};

/* Its place among those that bring a message soon (soon.h). */
struct session_soon {
	struct session *older, *newer;
	uint64_t active_us; /* last input, monotonic */
	bool is_in;
};

struct session {
	struct session *next, *prev; /* all of this process */
	struct stream *stream;
	struct client *client; /* counts of its address */
	struct session_soon soon;
	struct tx *tx;	     /* NULL: no MAIL */
	struct login *login; /* in MODE_AUTH */
	enum port_role role;
	enum session_mode mode;

	bool is_trusted;     /* in mynetworks */
	bool is_waiting;     /* for another process; input rests */
	bool is_closing;     /* the last reply is written */
	bool is_eof;	     /* the client says no more; it may still listen */
	bool is_revoked;     /* the key it came with ... */
	bool is_key_changed; /* ... or only what it is limited to */
	bool has_deadline;
	bool is_esmtp;

	uint64_t bdat_size; /* of the chunk */
	uint64_t bdat_left; /* MODE_BDAT, MODE_BDAT_SKIP: bytes */
	bool bdat_last;
	const char *bdat_reply; /* MODE_BDAT_SKIP: then */
	uint32_t skipped;	/* MODE_SKIP_LINE: bytes */

	unsigned errors;
	unsigned junk;
	unsigned auth_failures;
	unsigned overshoot; /* recipients beyond the limit */

	struct session_account account;
	char auth_user[255];
	const char *auth_method;
	struct ask *ask; /* of AUTH, MAIL or RCPT; NULL: none under way */

	uint64_t command_us; /* when the last command came, monotonic */
	uint16_t port;
	char ip[46];
	char helo[256];
	struct uuid id;
};

/* Takes a connected socket. is_trusted: the address is in mynetworks. */
void session_new(int fd, enum port_role role, struct client *client,
    const char *ip, uint16_t port, bool is_trusted);

/* Closes at once and forgets everything, the transaction too. */
void session_free(struct session *s);

/* Goes on after is_waiting was cleared. s may be gone afterwards. */
void session_run(struct session *s);

/*
 * Asks accountd; fn gets s and must clear s->ask and s->is_waiting. Returns 0
 * and waits, or -errno of ask_new.
 */
int session_ask(struct session *s, enum ipc_type type, const void *req,
    peer_reply_fn *fn) MUST_CHECK;

/* The one end of a transaction, whatever became of it. */
void session_reset_tx(struct session *s);

/* Forgets what was said before the TLS handshake (RFC 3207 section 4.2). */
void session_forget(struct session *s);

/* Is TLS on? */
bool session_is_tls(const struct session *s);

/* The client's key is revoked, or (is_changed) limited otherwise: it is told
 * so and goes, now or when what is under way is settled. */
void session_revoke(struct session *s, bool is_changed);

/* Ends with 421 unless content is being received or stored. */
void session_drain(struct session *s);

/* "ESMTPSA", "UTF8SMTPS" ... (RFC 3848, RFC 6531); utf8 as MAIL had it. */
const char *session_protocol(const struct session *s, bool utf8);

/* ---- replies (reply.c); text without CRLF ------------------------------- */

void session_reply(struct session *s, const char *text);
void session_replyf(struct session *s, const char *fmt, ...) PRINTF(2, 3);

/* A reply to something wrong: counts, and is not logged. */
void session_error(struct session *s, const char *text);

/*
 * A refusal by our rules: is logged as Postfix does, and counts when it is
 * 5xx. what: "MAIL", "RCPT" ...; to: the recipient or NULL.
 */
void session_refuse(
    struct session *s, const char *what, const char *text, const char *to);

/* The same from an answer of accountd: code, enhanced code and text. */
void session_refuse_as(struct session *s, const char *what, unsigned code,
    struct str enh, struct str text, const char *to);

/* 421 or another last word, and the end. */
void session_close(struct session *s, const char *text);

/* Too many errors end the session; called after each step. */
void session_check_limits(struct session *s);

/* NOOP and the like: above smtpd_junk_command_limit they are errors. */
void session_count_junk(struct session *s);

/* ---- commands ----------------------------------------------------------- */

/* line: without CRLF, valid until the return; clean of CR, LF and NUL. */
void command_run(struct session *s, struct str line);

/*
 * Ends the session if a stranger has sent more than a command that must be
 * the last of its group (RFC 2920 section 3.1). Returns whether it did.
 */
bool command_is_improper(struct session *s);

/* mail.c. args: behind the verb. */
void command_mail(struct session *s, struct str args);
void command_rcpt(struct session *s, struct str args);

/* data.c */
void command_data(struct session *s, struct str args);
void command_bdat(struct session *s, struct str args);
/* Takes input in MODE_DATA, MODE_BDAT, MODE_BDAT_SKIP. False: more needed. */
bool data_step(struct session *s);
/* How long the client may be silent now, microseconds. */
uint64_t data_deadline(const struct session *s);

/* auth.c */
void command_auth(struct session *s, struct str args);
/* A response in MODE_AUTH. */
void auth_response(struct session *s, struct str line);

/* tls.c */
void command_starttls(struct session *s, struct str args);

#endif
