/*
 * A transaction: from MAIL to the reply to its content. It outlives its
 * session only while the log still writes it.
 */
#ifndef SMTPD_TX_H
#define SMTPD_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "ask.h"
#include "attr.h"
#include "buf.h"
#include "data_scan.h"
#include "dkim.h"
#include "event.h"
#include "header.h"
#include "ipc.h"
#include "peer.h"
#include "smtp_param.h"
#include "smtp_path.h"
#include "uuid.h"

struct bigfile;
struct session;

/* What the header asks of us; empty or 0: nothing. */
struct tx_wishes {
	char subaccount[65];
	char class[17];
	char pool[65];
	uint64_t not_before_us;
	struct buf tags;     /* comma separated */
	struct buf metadata; /* JSON object */
};

struct tx {
	struct session *session; /* NULL: the client is gone */
	bool is_stored;		 /* in the log's hands */
	bool is_parked;		 /* waits for a segment */
	char client_ip[46];	 /* set when it is given to the log */

	/* Envelope. */
	char sender[SMTP_PATH_PRINT_MAX];
	char env_id[SMTP_ENVID_MAX + 1];
	enum smtp_ret ret;
	bool is_utf8;	/* SMTPUTF8 was given */
	bool is_8bit;	/* BODY=8BITMIME was given */
	bool needs_tls; /* REQUIRETLS was given */
	bool has_utf8_address;
	uint32_t nrcpt;
	uint32_t refused;		      /* recipients */
	char asked_rcpt[SMTP_PATH_PRINT_MAX]; /* RCPT under way, role mx */
	struct buf rcpts;		      /* as event.h has them */
	enum inbound_kind inbound;
	struct uuid orig_msgid;
	uint16_t orig_rcpt;
	uint64_t orig_accept_lsn;

	/* Content. While it comes in, content has all of it; when it is big,
	 * the header and what is not yet in the file. */
	struct data_scan scan;
	struct buf content;
	const char *refusal; /* reply at the end of data; NULL: good so far */
	bool is_bdat;
	uint64_t begun_us;    /* monotonic: DATA, or this chunk, began */
	uint64_t begun_bytes; /* so many bytes were there before */
	uint64_t ended_us;
	uint64_t header_len;
	uint64_t body_off;
	struct bigfile *big;
	struct data_stuff stuff;
	bool is_finishing; /* nothing more comes in */
	bool is_sync_asked;
	uint32_t big_len;
	uint32_t big_crc;
	bool is_hashing;
	struct dkim_body hash; /* of a big body, while it comes in */
	uint64_t stalled_us;   /* since when the disk holds us up; 0: not */

	/* Facts from the header, into content. */
	struct header_summary header;
	char header_from[321]; /* address */
	const char *from_domain;
	size_t from_domain_len;
	struct tx_wishes wishes;
	bool has_kept;
	bool has_no_header; /* the first line is body already */
	struct buf kept;    /* the header without what is removed */

	/* What accountd and signd said. */
	struct ask *ask;       /* the request under way; NULL: none */
	struct str rcpts_left; /* not yet asked about */
	uint32_t asked;	       /* recipients before these */
	uint32_t asking;       /* recipients in the request under way */
	struct buf blocked;    /* a byte for each recipient; empty: none */
	uint32_t subaccount;
	enum mail_class class;
	uint32_t flags; /* TX_* */
	char sign_domain[256];
	char return_domain[256];
	char pool[65];

	/* What is stored before the content. */
	struct buf added;  /* Date, Message-ID */
	struct buf prefix; /* DKIM-Signature, Received, added */
	struct uuid msgid;
	uint64_t size;
};

/* A transaction of s, at its beginning. Never NULL. */
struct tx *tx_new(struct session *s);

/* Frees it, or leaves it to the log if that has it; requests are forgotten. */
void tx_abandon(struct tx *tx);

/* Frees it. Nothing may refer to it any more. */
void tx_free(struct tx *tx);

/*
 * Asks a process about it; fn gets tx and must clear tx->ask. fd: goes along,
 * or -1. Returns 0, or -errno of ask_new.
 */
int tx_ask(struct tx *tx, enum role role, enum ipc_type type, const void *req,
    int fd, peer_reply_fn *fn) MUST_CHECK;

/* Frees what is kept for reuse. */
void tx_fini(void);

/* ---- the way from the final dot to the reply ---------------------------- */

/* message.c: checks the header, notes the facts, sets tx->refusal. */
void message_examine(struct tx *tx);

/* Writes header and body, not dot-stuffed, to a new memory file for signd.
 * Returns the descriptor, or -1 if that cannot be. */
int message_memfd(const struct tx *tx);

/* The header as it will be stored, without what we add. */
struct str message_header(const struct tx *tx);

/* The body in memory (a big one is in its file), without the empty line. */
struct str message_body(const struct tx *tx);

/* submit.c: content is complete and examined; replies when it is durable. */
void submit_begin(struct tx *tx);

/* Refuses at the end of data and ends the transaction. */
void submit_refuse(struct tx *tx, const char *text);

/* store.c: appends to the log, now or when there is a segment. */
void submit_store(struct tx *tx);
/* The log has a segment again, or none is to be had (status -errno). */
void submit_unpark(int status);

#endif
