/*
 * A connection of a path: from the first address tried, over any number of
 * transactions, to QUIT. If an address does not serve, the next one of the
 * route is tried under the same session.
 *
 * session.c holds its life, session_input.c reads replies; connect.c tries
 * addresses, hello.c opens the dialogue, auth.c logs in, client.c does
 * transactions, farewell.c waits for the server to close. Each
 * reply belongs to a command that was sent: replies nobody waits for end the
 * connection.
 */
#ifndef DELIVER_SESSION_H
#define DELIVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "content.h"
#include "ehlo.h"
#include "facts.h"
#include "job.h"
#include "path.h"
#include "phase.h"
#include "smtp_reply.h"
#include "stream.h"
#include "target.h"
#include "transcript.h"
#include "verdict.h"

/* The state of one transaction; cleared by one assignment. */
struct tx {
	struct content *content;
	unsigned n_sent;     /* RCPT commands */
	unsigned n_answered; /* replies to them */
	unsigned n_accepted;
	unsigned answer_at; /* number of the recipient answered next */
	bool is_pipelined;
	bool is_mail_ok;
	bool is_data_ok;
	bool is_all_queued; /* the content with its dot */
	size_t output_left; /* when the deadline was set last */
};

struct session {
	TAILQ_ENTRY(session) all;
	TAILQ_ENTRY(session) link; /* in the path's opening or idle list */
	TAILQ_ENTRY(session) idle; /* in the process's idle list */
	bool is_opening;
	bool is_idle;
	struct path *path;
	struct route *route; /* held */
	struct job *job;     /* being opened for, or in transaction */
	struct stream *stream;
	enum phase phase;
	unsigned expected;   /* replies that must come */
	unsigned generation; /* of the stream: rises with each */
	bool is_settled;     /* the deadline is that of the phase */
	bool must_close;     /* after this transaction */
	bool needs_rset;     /* before the next one */
	struct smtp_reply_parser parser;
	char *reply_text; /* NULL while idle */
	struct target targets[TARGETS_MAX];
	unsigned n_targets;
	unsigned target;	  /* the one in use */
	bool is_clear;		  /* this target's TLS is broken: in clear */
	struct tls_policy policy; /* of the job that it was opened for */
	struct tls_policy need;	  /* the same at this target */
	struct verdict failure;	  /* of the target tried last */
	struct ehlo ehlo;
	char *auth_user; /* NULL: no AUTH */
	char *auth_password;
	bool is_login;	     /* AUTH LOGIN is under way, else PLAIN */
	unsigned login_step; /* of it: 334 replies answered */
	unsigned uses;	     /* transactions begun */
	uint64_t opened_us;
	uint64_t phase_us; /* when the phase began */
	char ehlo_name[256];
	struct facts facts;
	struct tx tx;
	struct transcript transcript;
};

/* How a connection ended under a command. */
enum broken { BROKEN_LOST, BROKEN_TIMEOUT, BROKEN_PROTOCOL };

/* ---- for path.c --------------------------------------------------------- */

struct session *session_new(struct path *p);

/* Connects for a job (JOB_BOUND). */
void session_open(struct session *s, struct job *j);

/* Gives a session that is being opened another job, or takes it away: the job
 * is JOB_NEW then. */
void session_bind(struct session *s, struct job *j);
void session_unbind(struct session *s);

/* Begins a transaction over an idle session. */
void session_start(struct session *s, struct job *j);

/* Whether the open session may carry the job: right host, enough security. */
bool session_serves(const struct session *s, const struct job *j);
/* The same for one that is still being opened. */
bool session_will_serve(const struct session *s, const struct job *j);

/* Says QUIT and closes. It has no job. */
void session_quit(struct session *s);

/* Closes everything at once; jobs are left to the caller. */
void sessions_fini(void);

/* ---- for hello.c and client.c ------------------------------------------- */

/* The next reply belongs to this phase; its time runs from now. */
void session_phase(struct session *s, enum phase p);

/* Sends a command (with CRLF) that gets one reply. */
void session_command(struct session *s, const char *line, size_t len);

/* The same for a line that nobody may read: note stands for it. */
void session_secret(
    struct session *s, const char *line, size_t len, const char *note);

/* Sets the deadline of the phase when it changed; the last act of whoever is
 * called by the loop. */
void session_settle(struct session *s);

/* The name of the host that it speaks to, as long as it does. */
struct str session_host(const struct session *s);

/* Milliseconds since the phase began. */
uint32_t session_ms(const struct session *s);

/* The dialogue is open: transactions may begin. */
void session_ready(struct session *s);

/* The transaction is over (the session has no job): the next one, or idle. */
void session_next(struct session *s);

/*
 * This address does not serve, for the reason in s->failure: the next one.
 * When there is none, the job gets the failure and the session ends.
 */
void session_next_target(struct session *s);
bool session_has_next_target(const struct session *s);
/* The same address once more, in clear. */
void session_retry_clear(struct session *s);

/* Closes the connection at once. It has no job. */
void session_close(struct session *s);

/* A connection may serve jobs that ask for less or for other reasons than the
 * one it was opened for: what counts for its job goes into its facts. */
void session_note_need(struct session *s);

/* Ends its job by the verdicts it has. */
void session_result(struct session *s);

/* The same text for any server, until the next call of either. */
const char *session_key_of(const char *host, uint16_t port);
/* "mx.example:25": names the server for tls.h and tls_broken.h; until the
 * next call. */
const char *session_tls_key(const struct session *s);

/* "mx.example[192.0.2.1]:25", until the next call. */
const char *session_peer(const struct session *s);

/* The failure of a connection that ended under a command. */
void session_broken_verdict(
    const struct session *s, enum broken how, struct verdict *v);

/* ---- between session.c, session_input.c and connect.c ------------------- */

/* A new series of replies begins. */
void session_expect_replies(struct session *s);

/* It is over: freed when no caller looks at it any more. */
void session_bury(struct session *s);

/* What the stream reports. */
void session_event(void *arg, enum stream_event ev);

/* The addresses of a route that a session from this source address tries;
 * out has TARGETS_MAX. Returns how many. */
unsigned session_targets(
    const struct route *r, const char *source_ip, struct target *out);

/* Begins with the first address of the session's route. */
void session_begin_targets(struct session *s);

/* Keeps why the address could not be connected to (-errno). */
void session_connect_failed(struct session *s, int error);

/* Says QUIT and lets go of the stream, without waiting for the reply:
 * nothing would depend on it. */
void session_say_quit(struct session *s);

/* ---- farewell.c --------------------------------------------------------- */

/* Says QUIT; the connection counts until the server has closed it, or did not
 * in smtp_quit_timeout. */
void farewell_begin(struct session *s);
void farewell_event(struct session *s, enum stream_event ev);

/* ---- hello.c ------------------------------------------------------------ */

void hello_begin(struct session *s); /* connected */
void hello_reply(struct session *s, const struct smtp_reply *r);
void hello_tls_done(struct session *s);
void hello_broken(struct session *s, enum broken how);

/* ---- auth.c ------------------------------------------------------------- */

/* Logs in, inside TLS, as the session's job wants; session_ready follows. */
void auth_begin(struct session *s);
void auth_reply(struct session *s, const struct smtp_reply *r);

/* ---- check.c ------------------------------------------------------------ */

/* Verdicts that need no dialogue. True: somebody is left to send to. */
bool client_check(struct session *s);

/* ---- client.c ----------------------------------------------------------- */

/* False: the job was ended without the connection, which is free still. */
bool client_begin(struct session *s, struct job *j);
void client_reply(struct session *s, const struct smtp_reply *r);
void client_drained(struct session *s);
/* The deadline of sending has passed. True: there was progress, go on. */
bool client_has_progress(struct session *s);
void client_broken(struct session *s, enum broken how);

#endif
