#include "trace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "session.h"
#include "tls.h"
#include "uuid.h"
#include "worker.h"

/* The date of this second (RFC 5322 section 3.3), made once for all of its
 * messages; always in English, whatever the locale. */
static const char *
date_now(void)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static char text[48];
	static time_t made_for;
	time_t now = (time_t)(clock_wall_us() / US_PER_S);
	struct tm tm;

	if (now == made_for && text[0] != '\0') {
		return text;
	}
	made_for = now;
	(void)gmtime_r(&now, &tm);
	(void)snprintf(text, sizeof(text),
	    "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", &days[tm.tm_wday * 3],
	    tm.tm_mday, &months[tm.tm_mon * 3], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	return text;
}

void
trace_received(struct buf *out, const struct tx *tx, const char *id)
{
	const struct session *s = tx->session;
	const char *v6 = strchr(s->ip, ':') != NULL ? "IPv6:" : "";
	SSL *ssl = stream_ssl(s->stream);
	struct str rcpts = buf_str(&tx->rcpts);
	struct event_rcpt r;

	buf_printf(
	    out, "Received: from %s (unknown [%s%s])\r\n", s->helo, v6, s->ip);
	if (ssl != NULL) {
		buf_printf(out, "\t(using %s with cipher %s (%d/%d bits))\r\n",
		    SSL_get_version(ssl), SSL_get_cipher_name(ssl),
		    SSL_get_cipher_bits(ssl, NULL),
		    SSL_get_cipher_bits(ssl, NULL));
	}
	buf_printf(out, "\tby %s (Packetboat) with %s id %s", worker_hostname(),
	    session_protocol(s, tx->is_utf8), id);
	/* More than one recipient would tell each about the others. */
	if (tx->nrcpt == 1 && event_rcpt_next(&rcpts, &r)) {
		buf_printf(out, "\r\n\tfor <%.*s>", STR_ARG(r.address));
	}
	buf_printf(out, "; %s\r\n", date_now());
}

void
trace_missing(struct buf *out, const struct tx *tx)
{
	if (tx->header.date == 0) {
		buf_printf(out, "Date: %s\r\n", date_now());
	}
	if (tx->header.message_id == 0) {
		char text[UUID_TEXT_SIZE];
		struct uuid u = uuid_random();

		uuid_print(&u, text);
		buf_printf(
		    out, "Message-ID: <%s@%s>\r\n", text, worker_hostname());
	}
}
