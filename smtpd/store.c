#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bigfile.h"
#include "clock.h"
#include "conf.h"
#include "log.h"
#include "plog.h"
#include "segments.h"
#include "service.h"
#include "session.h"
#include "soon.h"
#include "tls.h"
#include "trace.h"
#include "tx.h"
#include "worker.h"

#define NO_SPACE "452 4.3.1 Insufficient system storage"
#define WRITE_ERROR "451 4.3.0 Error: queue file write error"

/* Transactions that wait for a segment, in their order. */
static struct {
	struct tx **p;
	size_t len;
	size_t cap;
} parked;

/* Text of the record that is made anew, for the time of its encoding. */
struct scratch {
	char account_name[320];
	char subject[512];
	char message_id[998];
	char tls[81];
	char session_id[UUID_TEXT_SIZE];
};

/* ---- the record --------------------------------------------------------- */

static uint32_t
message_flags(const struct tx *tx)
{
	const struct data_scan *scan = &tx->scan;
	uint32_t flags = 0;

	flags |= scan->dot_lines == 0 ? MESSAGE_NODOTS : 0;
	flags |= scan->body_is_8bit ? MESSAGE_8BIT : 0;
	if (tx->is_utf8 && (scan->header_is_8bit || tx->has_utf8_address)) {
		flags |= MESSAGE_UTF8;
	}
	flags |= tx->needs_tls ? MESSAGE_REQUIRETLS : 0;
	flags |= (tx->flags & TX_TEST) != 0 ? MESSAGE_TEST : 0;
	flags |= (tx->flags & TX_HELD) != 0 ? MESSAGE_HELD : 0;
	flags |= (tx->flags & TX_PLAIN_SENDER) != 0 ? MESSAGE_PLAIN_SENDER : 0;
	return flags;
}

static struct str
decode_subject(const struct tx *tx, struct scratch *t)
{
	const struct header_field *f = &tx->header.subject_field;

	if (tx->header.subject == 0) {
		return (struct str){ 0 };
	}
	return (struct str){ t->subject,
		header_decode(
		    f->value, f->value_len, t->subject, sizeof(t->subject)) };
}

/* Of the message, or the one that we added. */
static struct str
find_message_id(const struct tx *tx, struct scratch *t)
{
	struct header_field f = tx->header.message_id_field;
	const char *id;
	size_t len;

	if (tx->header.message_id == 0 && tx->added.len == 0) {
		return (struct str){ 0 };
	}
	if (tx->header.message_id == 0 &&
	    !header_find(
		(const char *)tx->added.p, tx->added.len, "Message-ID", &f)) {
		return (struct str){ 0 };
	}
	if (header_message_id(f.value, f.value_len, &id, &len) < 0 ||
	    len > sizeof(t->message_id)) {
		return (struct str){ 0 };
	}
	return (struct str){ id, len };
}

/* NAME/SUB, where SUB may be the header's choice. */
static struct str
account_name(const struct tx *tx, struct scratch *t)
{
	const char *name = tx->session->account.name;
	int base = (int)strcspn(name, "/");

	if (tx->wishes.subaccount[0] == '\0') {
		return str_of(name);
	}
	(void)snprintf(t->account_name, sizeof(t->account_name), "%.*s/%s",
	    base, name, tx->wishes.subaccount);
	return (struct str){ t->account_name, strnlen(t->account_name, 254) };
}

static void
fill_submission(
    const struct tx *tx, struct event_accepted *e, struct scratch *t)
{
	const struct session *s = tx->session;

	e->account = s->account.account;
	e->subaccount = tx->subaccount;
	e->key = s->account.key;
	e->account_name = account_name(tx, t);
	e->header_from = str_of(tx->header_from);
	e->return_domain = str_of(tx->return_domain);
	e->pool = str_of(tx->pool);
	e->tags = buf_str(&tx->wishes.tags);
	e->metadata = buf_str(&tx->wishes.metadata);
	e->sign_domain = str_of(tx->sign_domain);
	e->submit_auth_user = str_of(s->auth_user);
	e->not_before_us = tx->wishes.not_before_us;
}

static void
fill_envelope(const struct tx *tx, struct event_accepted *e)
{
	e->class = (uint8_t)tx->class;
	e->flags = message_flags(tx);
	e->sender = str_of(tx->sender);
	e->size = (uint32_t)tx->size;
	e->nrcpt = tx->nrcpt;
	e->rcpts = buf_str(&tx->rcpts);
	e->env_id = str_of(tx->env_id);
	e->ret = (uint8_t)tx->ret;
	e->inbound = (uint8_t)tx->inbound;
	e->orig_msgid = tx->orig_msgid;
	e->orig_rcpt = tx->orig_rcpt;
	e->orig_accept_lsn = tx->orig_accept_lsn;
	if (tx->big != NULL) {
		e->big_file = bigfile_number(tx->big);
		e->big_len = tx->big_len;
		e->big_crc = tx->big_crc;
	}
}

static int
encode(const struct tx *tx, struct buf *out)
{
	const struct session *s = tx->session;
	struct event_accepted e = {
		.time_us = clock_wall_us(),
		.msgid = tx->msgid,
		.submit_proto = str_of(session_protocol(s, tx->is_utf8)),
		.submit_client_ip = str_of(s->ip),
		.submit_client_port = s->port,
		.submit_helo = str_of(s->helo),
		.submit_call_ms =
		    (uint32_t)((clock_mono_us() - tx->ended_us) / US_PER_MS),
	};
	struct scratch t;
	uint64_t from_us;

	fill_envelope(tx, &e);
	if (s->role != PORT_MX) {
		fill_submission(tx, &e, &t);
	}
	e.subject = decode_subject(tx, &t);
	e.message_id = find_message_id(tx, &t);
	tls_describe(s, t.tls, sizeof(t.tls));
	e.submit_tls = str_of(t.tls);
	uuid_print(&s->id, t.session_id);
	e.session_id = str_of(t.session_id);
	from_us = e.not_before_us != 0 ? e.not_before_us : e.time_us;
	e.expires_us = from_us + conf()->queue_lifetime;
	return event_encode(out, EVENT_accepted, &e);
}

/* ---- the log ------------------------------------------------------------ */

static void
log_accepted(const struct tx *tx, const char *id)
{
	const struct session *s = tx->session; /* may be gone */
	struct scratch t;
	struct str message_id = find_message_id(tx, &t);
	char from[SMTP_PATH_PRINT_MAX], user[255] = "", mid[200];
	bool has_login = s != NULL && s->auth_method != NULL;

	(void)str_safe(from, sizeof(from), str_of(tx->sender));
	if (has_login) {
		(void)str_safe(user, sizeof(user), str_of(s->auth_user));
	}
	(void)str_safe(mid, sizeof(mid), message_id);
	log_info("%s: client=unknown[%s]%s%s%s%s, from=<%s>, size=%llu, "
		 "nrcpt=%u, message-id=%s",
	    id, tx->client_ip, has_login ? ", sasl_method=" : "",
	    has_login ? s->auth_method : "",
	    has_login ? ", sasl_username=" : "", has_login ? user : "", from,
	    (unsigned long long)tx->size, tx->nrcpt, mid);
}

/* The log has written, or could not. */
static void
on_stored(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct tx *tx = arg;
	struct session *s = tx->session;
	char id[UUID_TEXT_SIZE];

	(void)segid;
	(void)off;
	/* After -EIO the record may be there all the same. */
	bigfile_close(&tx->big, status != -ENOSPC);
	tx->is_stored = false;
	if (status == 0) {
		uuid_print(&tx->msgid, id);
		log_accepted(tx, id);
	}
	if (s == NULL) {
		tx_free(tx);
		worker_check_drained();
		return;
	}
	s->is_waiting = false;
	if (status == 0) {
		session_replyf(s, "250 2.0.0 Thanks! Queued as: %s", id);
		s->errors = 0;
		s->junk = 0;
		session_reset_tx(s);
	} else {
		submit_refuse(tx, status == -ENOSPC ? NO_SPACE : WRITE_ERROR);
	}
	session_run(s);
}

/* The pieces of the content in their order. Returns how many. */
static int
gather(const struct tx *tx, struct iovec iov[4])
{
	const struct buf *c = &tx->content;
	int n = 0;

	iov[n++] = (struct iovec){ tx->prefix.p, tx->prefix.len };
	if (tx->has_no_header) {
		static char crlf[] = "\r\n";

		iov[n++] = (struct iovec){ crlf, 2 };
		iov[n++] = (struct iovec){ c->p, c->len };
	} else if (tx->has_kept) {
		iov[n++] = (struct iovec){ tx->kept.p, tx->kept.len };
		iov[n++] = (struct iovec){ c->p + tx->header_len,
			c->len - tx->header_len };
	} else {
		iov[n++] = (struct iovec){ c->p, c->len };
	}
	return n;
}

/* There is a segment: the message becomes its next record. */
static void
append(struct tx *tx, uint64_t segid, uint32_t index)
{
	static struct buf record;
	struct uuid_place place = { segid, index };
	char id[UUID_TEXT_SIZE];
	struct iovec iov[4];
	int n;

	tx->msgid = uuid_make(clock_wall_us(), place);
	str_copy(tx->client_ip, sizeof(tx->client_ip), str_of(tx->session->ip));
	uuid_print(&tx->msgid, id);
	trace_received(&tx->prefix, tx, id);
	buf_add(&tx->prefix, tx->added.p, tx->added.len);
	n = gather(tx, iov);
	tx->size = tx->big_len;
	for (int i = 0; i < n; i++) {
		tx->size += iov[i].iov_len;
	}
	soon_leave(tx->session);
	buf_clear(&record, 64 * 1024);
	if (encode(tx, &record) < 0 ||
	    plog_append(segments_log(), EVENT_accepted, record.p, record.len,
		iov, n, on_stored, tx) < 0) {
		submit_refuse(tx, WRITE_ERROR);
		return;
	}
	tx->is_stored = true;
}

/* ---- without a segment -------------------------------------------------- */

static void
park(struct tx *tx)
{
	if (parked.len == parked.cap) {
		parked.cap = parked.cap != 0 ? parked.cap * 2 : 16;
		parked.p =
		    mem_resize(parked.p, parked.cap * sizeof(struct tx *));
	}
	parked.p[parked.len++] = tx;
	tx->is_parked = true;
	soon_leave(tx->session);
}

void
submit_store(struct tx *tx)
{
	uint64_t segid;
	uint32_t index;

	if (plog_writer_next(segments_log(), &segid, &index) == 0) {
		append(tx, segid, index);
	} else if (segments_is_waiting()) {
		park(tx);
	} else {
		submit_refuse(tx, NO_SPACE);
	}
}

void
submit_unpark(int status)
{
	struct tx **p = parked.p;
	size_t n = parked.len;

	parked.p = NULL;
	parked.len = 0;
	parked.cap = 0;
	for (size_t i = 0; i < n; i++) {
		struct tx *tx = p[i];
		struct session *s = tx->session;

		tx->is_parked = false;
		if (s == NULL) {
			tx_free(tx);
			continue;
		}
		if (status < 0) {
			submit_refuse(tx, NO_SPACE);
		} else {
			submit_store(tx);
		}
		session_run(s);
	}
	free(p);
}
