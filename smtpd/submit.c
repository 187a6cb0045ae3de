#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "log.h"
#include "peer.h"
#include "service.h"
#include "session.h"
#include "soon.h"
#include "trace.h"
#include "tx.h"
#include "worker.h"

/* As the fields of ipc.def allow. */
#define RCPTS_PER_REQUEST (100 * 1024)
#define SIGN_HEADER_MAX (110 * 1024)

#define TRY_LATER "451 4.3.0 Error: temporary failure, try again later"

static void ask_accountd(struct tx *tx);
static void ask_signd(struct tx *tx);

void
submit_refuse(struct tx *tx, const char *text)
{
	struct session *s = tx->session;

	s->is_waiting = false;
	session_refuse(s, "END-OF-MESSAGE", text, NULL);
	session_reset_tx(s);
}

void
submit_begin(struct tx *tx)
{
	tx->session->is_waiting = true;
	if (tx->session->role == PORT_MX) {
		submit_store(tx);
		return;
	}
	tx->subaccount = tx->session->account.subaccount;
	trace_missing(&tx->added, tx);
	tx->rcpts_left = buf_str(&tx->rcpts);
	ask_accountd(tx);
}

/* ---- accountd ----------------------------------------------------------- */

/* Moves recipients into out, as many as one request takes. */
static void
fill_rcpts(struct tx *tx, struct buf *out)
{
	struct event_rcpt r;

	tx->asking = 0;
	while (tx->rcpts_left.len != 0) {
		struct str rest = tx->rcpts_left;

		if (!event_rcpt_next(&rest, &r) ||
		    out->len + 2 + r.address.len > RCPTS_PER_REQUEST) {
			return;
		}
		buf_u16(out, (uint16_t)r.address.len);
		buf_add(out, r.address.p, r.address.len);
		tx->rcpts_left = rest;
		tx->asking++;
	}
}

/* Notes which recipients of the request are suppressed. */
static void
note_blocked(struct tx *tx, struct str bits, struct str reasons)
{
	size_t n = 0;

	if (bits.len != 0 && tx->blocked.len == 0) {
		buf_zero(&tx->blocked, tx->nrcpt);
	}
	for (uint32_t i = 0; i < tx->asking && i / 8 < bits.len; i++) {
		if (((unsigned char)bits.p[i / 8] >> (i % 8) & 1) != 0) {
			unsigned reason =
			    n < reasons.len ? (unsigned char)reasons.p[n] : 0;

			n++;
			tx->blocked.p[tx->asked + i] =
			    RCPT_BLOCKED_FOR(reason & 7);
		}
	}
	tx->asked += tx->asking;
}

/* Marks them where they are stored: what happens to them must not depend on
 * a message that a crash can lose. */
static void
mark_blocked(struct tx *tx)
{
	struct str rest = buf_str(&tx->rcpts);
	struct buf marked = { 0 };
	struct event_rcpt r;

	if (tx->blocked.len == 0) {
		return;
	}
	for (uint32_t i = 0; event_rcpt_next(&rest, &r); i++) {
		if (tx->blocked.p[i] != 0) {
			r.notify |= tx->blocked.p[i];
		}
		event_rcpt_add(&marked, &r);
	}
	buf_fini(&tx->rcpts);
	buf_move(&tx->rcpts, &marked);
}

static void
take_verdict(struct tx *tx, const struct ipc_tx_rep *rep)
{
	tx->subaccount = rep->subaccount;
	tx->class = rep->class <= CLASS_DIGEST ? (enum mail_class)rep->class
					       : CLASS_STANDARD;
	tx->flags |= rep->flags;
	str_copy(tx->sign_domain, sizeof(tx->sign_domain), rep->sign_domain);
	str_copy(
	    tx->return_domain, sizeof(tx->return_domain), rep->return_domain);
	str_copy(tx->pool, sizeof(tx->pool), rep->pool);
	note_blocked(tx, rep->suppressed, rep->reasons);
}

static void
got_verdict(void *arg, enum ipc_type type, const void *m)
{
	struct tx *tx = arg;
	struct session *s = tx->session;
	const struct ipc_tx_rep *rep = m;

	tx->ask = NULL;
	soon_touch(s);
	if (type != IPC_tx_rep) {
		submit_refuse(tx, TRY_LATER);
	} else if (rep->code != 0) {
		s->is_waiting = false;
		session_refuse_as(
		    s, "END-OF-MESSAGE", rep->code, rep->enh, rep->text, NULL);
		session_reset_tx(s);
	} else if (worker_tenant_pressure(
		       s->account.account, rep->subaccount) != NULL) {
		/* Only now it is known for which subaccount it is. */
		submit_refuse(tx,
		    worker_tenant_pressure(
			s->account.account, rep->subaccount));
	} else {
		take_verdict(tx, rep);
		if (tx->rcpts_left.len != 0) {
			ask_accountd(tx);
		} else {
			mark_blocked(tx);
			if (tx->sign_domain[0] != '\0') {
				ask_signd(tx);
			} else {
				submit_store(tx);
			}
		}
	}
	session_run(s);
}

static void
ask_accountd(struct tx *tx)
{
	static struct buf rcpts;
	const struct session *s = tx->session;
	struct ipc_tx_req req = {
		.account = s->account.account,
		.subaccount = s->account.subaccount,
		.key = s->account.key,
		.client_ip = str_of(s->ip),
		.sender = str_of(tx->sender),
		.from_domain = { tx->from_domain, tx->from_domain_len },
		.header_from = str_of(tx->header_from),
		.want_subaccount = str_of(tx->wishes.subaccount),
		.want_class = str_of(tx->wishes.class),
		.want_pool = str_of(tx->wishes.pool),
		.size = (uint32_t)tx->scan.message_len,
		.nrcpt = tx->nrcpt,
	};

	buf_clear(&rcpts, RCPTS_PER_REQUEST);
	fill_rcpts(tx, &rcpts);
	req.rcpts = buf_str(&rcpts);
	if (tx_ask(tx, ROLE_ACCOUNTD, IPC_tx_req, &req, -1, got_verdict) < 0) {
		submit_refuse(tx, TRY_LATER);
	}
}

/* ---- signd -------------------------------------------------------------- */

static void
got_signature(void *arg, enum ipc_type type, const void *m)
{
	struct tx *tx = arg;
	struct session *s = tx->session;
	const struct ipc_sign_rep *rep = m;

	tx->ask = NULL;
	soon_touch(s);
	if (type != IPC_sign_rep) {
		submit_refuse(tx, TRY_LATER);
	} else if (rep->status != 0) {
		log_warn("cannot sign for %s: %s", tx->sign_domain,
		    strerror((int)rep->status));
		submit_refuse(tx, TRY_LATER);
	} else {
		buf_add(&tx->prefix, rep->fields.p, rep->fields.len);
		submit_store(tx);
	}
	session_run(s);
}

/* The hash of the body: a big one was hashed while it came in. */
static int
hash_body(struct tx *tx, uint8_t out[DKIM_HASH_LEN])
{
	static struct dkim_body small;
	struct dkim_body *b = &tx->hash;

	if (!tx->is_hashing) {
		struct str body = message_body(tx);

		b = &small;
		if (b->md == NULL) {
			int r = dkim_body_init(b, true);

			if (r < 0) {
				return r;
			}
		} else {
			dkim_body_reset(b, true);
		}
		dkim_body_update(b, body.p, body.len);
	}
	return dkim_body_final(b, out);
}

/* The fields that are signed, of those we add and of the message's own. */
static int
copy_signed(const struct tx *tx, struct buf *out)
{
	struct str parts[2] = { buf_str(&tx->added), message_header(tx) };

	buf_clear(out, SIGN_HEADER_MAX);
	for (int i = 0; i < 2; i++) {
		uint8_t *to = buf_reserve(out, parts[i].len + 1);
		ssize_t n = dkim_copy_signed(
		    parts[i].p, parts[i].len, (char *)to, parts[i].len + 1);

		if (n < 0) {
			return (int)n;
		}
		out->len += (size_t)n;
	}
	return out->len <= SIGN_HEADER_MAX ? 0 : -EMSGSIZE;
}

/* libopendkim wants the message itself; it signs, or verifies a sample. A big
 * one stays in its file and is signed by its hash alone. */
static int
sample(const struct tx *tx)
{
	static uint64_t count;
	uint64_t every = conf()->dkim_verify_sample;

	count++;
	if (tx->big != NULL) {
		return -1;
	}
	if (strcmp(conf()->dkim_signer, "opendkim") == 0 ||
	    (every != 0 && count % every == 0)) {
		return message_memfd(tx);
	}
	return -1;
}

static void
ask_signd(struct tx *tx)
{
	static struct buf header;
	uint8_t hash[DKIM_HASH_LEN];
	struct ipc_sign_req req = {
		.account = tx->session->account.account,
		.domain = str_of(tx->sign_domain),
		.body_hash = { (const char *)hash, sizeof(hash) },
	};
	int fd, r;

	if (tx->header.from == 0) {
		submit_refuse(tx, "550 5.6.0 The message has no From field");
		return;
	}
	if (hash_body(tx, hash) < 0) {
		submit_refuse(tx, TRY_LATER);
		return;
	}
	if (copy_signed(tx, &header) < 0) {
		submit_refuse(tx,
		    "552 5.3.4 Message header exceeds fixed "
		    "limit");
		return;
	}
	req.header = buf_str(&header);
	fd = sample(tx);
	r = tx_ask(tx, ROLE_SIGND, IPC_sign_req, &req, fd, got_signature);
	if (fd >= 0) {
		(void)close(fd);
	}
	if (r < 0) {
		submit_refuse(tx, TRY_LATER);
	}
}
