/*
 * What the files of the daemon share; report.h and dsn_write.h are apart, so
 * that they can be tested alone.
 */
#ifndef BOUNCER_BOUNCER_H
#define BOUNCER_BOUNCER_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "ipc.h"
#include "peer.h"

/* ---- worker.c: what main.c hands to service_main ------------------------- */

void worker_init(void);
void worker_peer_up(struct peer *p);
void worker_drain(void);
void worker_stop(void);
extern const struct peer_handler worker_handlers[];

/* The name of this system: myhostname, or what the system is called. */
const char *bouncer_hostname(void);

/* Work begun and not answered; at 0 a draining process ends. */
void bouncer_begin(void);
void bouncer_end(void);

/*
 * Sends to the qmgr that gave a job. A qmgr that came up since knows nothing
 * of it and gives it out anew: then nothing is sent.
 */
uint64_t bouncer_qmgr_run(void);
void bouncer_tell_qmgr(uint64_t run, enum ipc_type type, const void *m);

/* ---- message.c: a message out of the spool ------------------------------- */

struct message_place {
	struct uuid msgid;
	uint64_t segid;
	uint64_t rec_off;
	uint64_t content_off;
	uint32_t content_len;
	uint32_t content_crc;
};

struct message {
	struct event_accepted a; /* points into record */
	struct buf record;
	struct buf content; /* as stored: CRLF lines, dots stuffed */
	bool is_whole;
};

/*
 * Reads record and content. want: so many bytes of a big message are enough;
 * SIZE_MAX: all of it, verified. Returns 0; -ENOENT: a file was not passed;
 * -EBADMSG: damaged, or another message; -EFBIG: above max; -errno. On error
 * *out is empty.
 */
int message_load(const struct message_place *p, size_t want, size_t max,
    struct message *out) MUST_CHECK;
void message_fini(struct message *m);

/* Takes away what SMTP added: the stuffed dots. */
void message_unstuff(struct message *m);

/* ---- writer.c: mail of our own --------------------------------------------
 */

void writer_start(void);
void writer_stop(void);

/* A message of ours to one recipient, with the null sender. */
struct own_mail {
	uint32_t account;
	uint32_t subaccount;
	struct str account_name;
	uint8_t class;
	struct str rcpt;
	struct str header_from;
	struct str subject;
	struct str message_id;
	bool is_8bit;
	bool is_utf8;	  /* needs SMTPUTF8 */
	bool needs_tls;	  /* REQUIRETLS */
	bool is_stuffed;  /* content has stuffed dots already */
	bool has_no_dots; /* is_stuffed, and no line begins with a dot */
};

/* status: 0, the message is durable; else -errno. */
typedef void own_mail_fn(void *arg, int status);

/* Stores the message; content (CRLF lines) is taken. fn is called later,
 * exactly once. */
void own_mail_send(
    const struct own_mail *m, struct buf *content, own_mail_fn *fn, void *arg);

/* ---- jobs ---------------------------------------------------------------- */

void reports_on_job(struct peer *p, uint32_t id, const void *m);
void dsn_on_job(struct peer *p, uint32_t id, const void *m);

/* Where a message is sent on to, and whose mail that is. */
struct forward {
	struct str to; /* empty: nowhere */
	uint32_t account;
	uint32_t subaccount;
	struct str account_name;
};
/* alert_mail.c: writes a mail about an alert. A new accountd asks anew. */
void alert_mail_on_req(struct peer *p, uint32_t id, const void *m);
void alert_mail_peer_up(void);

/*
 * forward.c: sends a message on as it came. fn is called later or at once,
 * exactly once; status is 0 also when the message is too large or would go
 * round in circles, which is logged.
 */
void forward_send(const struct message_place *p, const struct forward *f,
    own_mail_fn *fn, void *arg);

/*
 * owner.c: sends what came to the return path of a message of ours on to
 * where its account wants it, if it does. fn as before.
 */
void owner_forward(const struct message_place *p, const struct uuid *msgid,
    uint64_t accept_lsn, own_mail_fn *fn, void *arg);

/* Would the message go round in circles? header: of the message, CRLF lines.
 * max_hops: Received fields allowed. */
bool forward_is_loop(struct str header, size_t max_hops);

/* ---- date.c ---------------------------------------------------------------
 */

/* RFC 5322 section 3.3, in UTC; dst has DATE_SIZE bytes. Returns dst. */
#define DATE_SIZE 40
const char *date_print(uint64_t wall_us, char *dst);

#endif
