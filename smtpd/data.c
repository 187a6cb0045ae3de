#include <errno.h>
#include <string.h>

#include "bigfile.h"
#include "clock.h"
#include "conf.h"
#include "crc32c.h"
#include "log.h"
#include "plog.h"
#include "service.h"
#include "session.h"
#include "spool.h"
#include "tx.h"

/* A big body goes to its file in pieces of this size. */
#define SPILL_BYTES (256 * 1024)

/* What is too big is read to its end, up to so many times the limit. */
#define SWALLOW_TIMES 4

/* The minimal data rate holds after a time in which TCP finds its own. */
#define RATE_GRACE_US (30 * US_PER_S)

/* Smaller chunks than this, except the last, are as good as NOOP. */
#define CHUNK_SMALL 512

static void on_big(void *arg, int status);

uint64_t
data_deadline(const struct session *s)
{
	const struct tx *tx = s->tx;
	uint64_t in_us = conf()->smtpd_data_timeout;
	uint64_t rate = conf()->smtpd_min_data_rate;
	uint64_t now = clock_mono_us();
	uint64_t until;

	if (rate == 0 || tx == NULL) {
		return in_us;
	}
	until = tx->begun_us + RATE_GRACE_US +
	    (tx->scan.seen - tx->begun_bytes) * US_PER_S / rate;
	if (until < now + in_us) {
		in_us = until > now ? until - now : 1;
	}
	return in_us;
}

/* ---- a big body --------------------------------------------------------- */

/* Bytes of the body that are not in the file yet. */
static size_t
unspilled(const struct tx *tx)
{
	return tx->content.len - tx->body_off;
}

static void
begin_big(struct tx *tx)
{
	tx->body_off = tx->scan.body_off;
	tx->big_crc = plog_crc(0, "", 0);
	tx->big = bigfile_open(on_big, tx);
	if (tx->session->role != PORT_MX) {
		if (dkim_body_init(&tx->hash, !tx->is_bdat) < 0) {
			tx->refusal = "451 4.3.0 Error: out of memory";
			return;
		}
		tx->is_hashing = true;
	}
}

static void
spill(struct tx *tx)
{
	const char *p = (const char *)tx->content.p + tx->body_off;
	size_t n = unspilled(tx);
	struct buf out = { 0 };

	if (tx->is_hashing) {
		dkim_body_update(&tx->hash, p, n);
	}
	if (tx->is_bdat) {
		uint8_t *to = buf_reserve(&out, data_stuff_bound(n));

		out.len = data_stuff(&tx->stuff, p, n, (char *)to);
	} else {
		buf_add(&out, p, n);
	}
	tx->big_crc = crc32c(tx->big_crc, out.p, out.len);
	tx->big_len += (uint32_t)out.len;
	tx->content.len = tx->body_off;
	bigfile_write(tx->big, &out);
}

/* Moves what can be moved; the client waits when the disk is slower. */
static void
spill_some(struct tx *tx)
{
	if (tx->big == NULL || unspilled(tx) < SPILL_BYTES) {
		return;
	}
	if (bigfile_is_idle(tx->big)) {
		spill(tx);
	} else {
		tx->session->is_waiting = true;
		tx->stalled_us = clock_mono_us();
	}
}

/* All of the body to the file, then the sync, then the way of all mail. */
static void
finish_big(struct tx *tx)
{
	tx->is_finishing = true;
	tx->session->is_waiting = true;
	if (!bigfile_is_idle(tx->big)) {
		return;
	}
	if (unspilled(tx) != 0) {
		spill(tx);
	} else if (!tx->is_sync_asked) {
		tx->is_sync_asked = true;
		bigfile_sync(tx->big);
	} else {
		submit_begin(tx);
	}
}

/* Nothing of the content is needed any more. */
static void
drop_content(struct tx *tx)
{
	buf_fini(&tx->content);
	tx->body_off = 0;
	bigfile_close(&tx->big, false);
}

/* The helper thread has done what was asked. */
static void
on_big(void *arg, int status)
{
	struct tx *tx = arg;
	struct session *s = tx->session;

	if (tx->stalled_us != 0) {
		/* The client did not wait for itself. */
		tx->begun_us += clock_mono_us() - tx->stalled_us;
		tx->stalled_us = 0;
		s->is_waiting = false;
	}
	if (status < 0) {
		tx->refusal = status == -ENOSPC
		    ? "452 4.3.1 Insufficient system storage"
		    : "451 4.3.0 Error: queue file write error";
		drop_content(tx);
		if (tx->is_finishing) {
			submit_refuse(tx, tx->refusal);
		}
	} else if (tx->is_finishing) {
		finish_big(tx);
	} else {
		spill_some(tx);
	}
	session_run(s);
}

/* ---- content coming in -------------------------------------------------- */

/* What can be said before the end; the content is then only read. */
static const char *
find_fault(const struct data_scan *scan)
{
	if (scan->message_len > conf()->message_size_limit) {
		return "552 5.3.4 Message size exceeds fixed limit";
	}
	if (scan->has_bare_cr || scan->has_bare_lf || scan->has_nul) {
		return "550 5.6.11 Bare CR, bare LF or NUL in the message";
	}
	if (scan->longest_line > conf()->smtpd_line_length_limit) {
		return "550 5.6.0 Line too long in the message";
	}
	if ((scan->has_body ? scan->header_len : scan->message_len) >
	    conf()->header_size_limit) {
		return "552 5.3.4 Message header exceeds fixed limit";
	}
	return NULL;
}

/* Takes content bytes; n of them are used. */
static size_t
take(struct tx *tx, struct str in)
{
	struct data_scan_step step = data_scan_feed(&tx->scan, in.p, in.len);

	if (tx->refusal != NULL) {
		return step.used;
	}
	buf_add(&tx->content, ".\r", step.carry);
	buf_add(&tx->content, in.p, step.take);
	tx->refusal = find_fault(&tx->scan);
	if (tx->refusal != NULL) {
		drop_content(tx);
		return step.used;
	}
	if (tx->big == NULL && tx->scan.has_body &&
	    tx->content.len > SPOOL_BIG_FROM) {
		begin_big(tx);
	}
	return step.used;
}

/*
 * What came by BDAT becomes what DATA would have sent: a last CRLF, and dots
 * doubled. The body of a big message is stuffed on its way to the file.
 */
static void
finish_bdat(struct tx *tx)
{
	const char *p = (const char *)tx->content.p;
	size_t head = tx->header_len;
	struct data_stuff st = { 0 };
	struct buf out = { 0 };
	char *to;
	size_t n, rest;

	if (tx->scan.dot_lines == 0) {
		return;
	}
	rest = tx->content.len - head;
	to = (char *)buf_reserve(&out, data_stuff_bound(tx->content.len));
	n = data_stuff(&st, p, head, to);
	tx->header_len = n;
	tx->body_off = n + (tx->body_off - head);
	if (tx->big != NULL) {
		memcpy(to + n, p + head, rest);
		n += rest;
	} else {
		n += data_stuff(&st, p + head, rest, to + n);
	}
	out.len = n;
	buf_fini(&tx->content);
	buf_move(&tx->content, &out);
}

/*
 * The reply to content that was dropped: of several faults always the same
 * one, however the bytes came in.
 */
static const char *
refusal_of(const struct tx *tx)
{
	const char *fault = find_fault(&tx->scan);

	return tx->refusal != NULL && fault != NULL ? fault : tx->refusal;
}

/* The content is complete. */
static void
complete(struct session *s)
{
	struct tx *tx = s->tx;
	struct data_scan *scan = &tx->scan;

	s->mode = MODE_COMMAND;
	tx->ended_us = clock_mono_us();
	if (tx->is_bdat) {
		data_scan_finish(scan);
		if (tx->refusal == NULL) {
			tx->refusal = find_fault(scan);
		}
		if (tx->refusal == NULL && scan->is_unterminated) {
			buf_add(&tx->content, "\r\n", 2);
		}
	}
	if (tx->refusal != NULL) {
		submit_refuse(tx, refusal_of(tx));
		return;
	}
	(void)buf_reserve(&tx->content, 1); /* not NULL when empty */
	tx->header_len = scan->has_body ? scan->header_len : tx->content.len;
	tx->body_off = scan->has_body ? scan->body_off : tx->content.len;
	if (tx->is_bdat) {
		finish_bdat(tx);
	}
	message_examine(tx);
	if (tx->refusal != NULL) {
		submit_refuse(tx, tx->refusal);
	} else if (tx->big != NULL) {
		finish_big(tx);
	} else {
		submit_begin(tx);
	}
}

/* A client that sends without end is not read without end. */
static void
check_swallowed(struct session *s)
{
	if (s->tx != NULL &&
	    s->tx->scan.seen > conf()->message_size_limit * SWALLOW_TIMES) {
		session_close(s, "552 5.3.4 Message size exceeds fixed limit");
	}
}

static bool
data_step_dot(struct session *s)
{
	struct str in = stream_input(s->stream);
	struct tx *tx = s->tx;

	if (in.len == 0) {
		return false;
	}
	stream_consume(s->stream, take(tx, in));
	if (tx->scan.at_end) {
		complete(s);
	} else {
		spill_some(tx);
		check_swallowed(s);
	}
	return true;
}

/* ---- DATA --------------------------------------------------------------- */

static const char *
check_data_state(const struct session *s, bool is_bdat)
{
	const struct tx *tx = s->tx;

	if (s->helo[0] == '\0') {
		return "503 5.5.1 Error: send HELO/EHLO first";
	}
	if (tx == NULL) {
		return "503 5.5.1 Error: need MAIL command";
	}
	if (tx->is_bdat && !is_bdat) {
		return "503 5.5.1 Error: message content has begun by BDAT";
	}
	if (tx->nrcpt == 0) {
		return tx->refused != 0 ? "554 5.5.1 Error: no valid recipients"
					: "503 5.5.1 Error: need RCPT command";
	}
	return NULL;
}

void
command_data(struct session *s, struct str args)
{
	const char *text = args.len != 0 ? "501 5.5.4 Syntax: DATA"
					 : check_data_state(s, false);

	if (text != NULL) {
		session_error(s, text);
		return;
	}
	if (command_is_improper(s)) {
		return;
	}
	data_scan_init(&s->tx->scan, DATA_SCAN_DOT);
	s->tx->begun_us = clock_mono_us();
	s->mode = MODE_DATA;
	session_reply(s, "354 End data with <CR><LF>.<CR><LF>");
}

/* ---- BDAT --------------------------------------------------------------- */

/* "1000", "1000 LAST". */
static bool
parse_bdat(struct str args, uint64_t *size, bool *is_last)
{
	struct str word = { 0 };

	(void)str_split(&args, ' ', &word);
	args = str_trim(args);
	*is_last = args.len != 0;
	return str_u64(word, UINT64_MAX, size) == 0 &&
	    (args.len == 0 || str_eq_case(args, STR("LAST")));
}

/* A chunk is complete. */
static void
end_chunk(struct session *s, uint64_t size)
{
	struct tx *tx = s->tx;

	if (s->bdat_last) {
		complete(s);
		return;
	}
	s->mode = MODE_COMMAND;
	if (tx->refusal != NULL) {
		submit_refuse(tx, refusal_of(tx));
		return;
	}
	if (size < CHUNK_SMALL) {
		session_count_junk(s);
	}
	session_replyf(
	    s, "250 2.0.0 %llu octets received", (unsigned long long)size);
}

static bool
data_step_bdat(struct session *s)
{
	struct str in = stream_input(s->stream);
	struct tx *tx = s->tx;

	if (in.len == 0) {
		return false;
	}
	if (in.len > s->bdat_left) {
		in.len = (size_t)s->bdat_left;
	}
	stream_consume(s->stream, take(tx, in));
	s->bdat_left -= in.len;
	if (s->bdat_left != 0 || !s->bdat_last) {
		spill_some(tx);
	}
	if (s->bdat_left == 0) {
		end_chunk(s, s->bdat_size);
	}
	return true;
}

static bool
data_step_skip(struct session *s)
{
	struct str in = stream_input(s->stream);
	size_t n = in.len < s->bdat_left ? in.len : (size_t)s->bdat_left;

	stream_consume(s->stream, n);
	s->bdat_left -= n;
	if (s->bdat_left == 0) {
		s->mode = MODE_COMMAND;
		session_error(s, s->bdat_reply);
		return true;
	}
	return false;
}

bool
data_step(struct session *s)
{
	switch (s->mode) {
	case MODE_DATA:
		return data_step_dot(s);
	case MODE_BDAT:
		return data_step_bdat(s);
	default:
		return data_step_skip(s);
	}
}

void
command_bdat(struct session *s, struct str args)
{
	uint64_t size;
	const char *text;

	if (!parse_bdat(args, &size, &s->bdat_last)) {
		session_error(s, "501 5.5.4 Syntax: BDAT count [LAST]");
		return;
	}
	if (size > conf()->message_size_limit * SWALLOW_TIMES) {
		session_close(s, "552 5.3.4 Message size exceeds fixed limit");
		return;
	}
	s->bdat_size = size;
	s->bdat_left = size;
	text = check_data_state(s, true);
	if (text != NULL) {
		/* RFC 3030 section 4.2: the chunk follows all the same. */
		s->bdat_reply = text;
		s->mode = MODE_BDAT_SKIP;
		if (size == 0) {
			(void)data_step_skip(s);
		}
		return;
	}
	if (!s->tx->is_bdat) {
		s->tx->is_bdat = true;
		data_scan_init(&s->tx->scan, DATA_SCAN_BDAT);
	}
	s->tx->begun_us = clock_mono_us();
	s->tx->begun_bytes = s->tx->scan.seen;
	s->mode = MODE_BDAT;
	if (size == 0) {
		end_chunk(s, 0);
	}
}
