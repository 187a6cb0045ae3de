/*
 * The log line of an attempt. Its form is Postfix's, which pflogsumm, fail2ban
 * and administrators' scripts read.
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "results.h"
#include "str.h"

#define TEXT_SIZE 1024

/* "0.12", "3.4", "3600": as few digits as Postfix shows. */
static void
put_seconds(char *dst, size_t size, uint64_t ms)
{
	if (ms < 1000) {
		(void)snprintf(dst, size, "%u.%02u", 0u, (unsigned)ms / 10);
	} else if (ms < 100000) {
		(void)snprintf(dst, size, "%u.%u", (unsigned)(ms / 1000),
		    (unsigned)(ms % 1000 / 100));
	} else {
		(void)snprintf(
		    dst, size, "%llu", (unsigned long long)(ms / 1000));
	}
}

/* delay=, delays=a/b/c/d: before the last dispatch, waiting for a connection,
 * making one, sending. */
static void
put_delays(
    char *dst, size_t size, const struct subject *s, const struct ipc_result *r)
{
	uint64_t age = outcome_age_ms(s);
	uint64_t c = (uint64_t)r->delays_dns_ms + r->delays_connect_ms +
	    r->delays_tls_ms + r->delays_helo_ms;
	uint64_t d =
	    (uint64_t)r->delays_mail_ms + r->delays_rcpt_ms + r->delays_data_ms;
	uint64_t out = s->sent_us != 0
	    ? (clock_mono_us() - s->sent_us) / US_PER_MS
	    : c + d;
	uint64_t b = out > c + d ? out - c - d : 0;
	uint64_t a = age > b + c + d ? age - b - c - d : 0;
	char t[5][24];

	put_seconds(t[0], sizeof(t[0]), age);
	put_seconds(t[1], sizeof(t[1]), a);
	put_seconds(t[2], sizeof(t[2]), b);
	put_seconds(t[3], sizeof(t[3]), c);
	put_seconds(t[4], sizeof(t[4]), d);
	(void)snprintf(dst, size, "delay=%s, delays=%s/%s/%s/%s", t[0], t[1],
	    t[2], t[3], t[4]);
}

static void
put_relay(char *dst, size_t size, const struct ipc_result *r)
{
	char host[256];
	char use[32] = "";

	if (r->dest_ip.len == 0) {
		(void)snprintf(dst, size, "relay=none");
		return;
	}
	if (r->conn_use > 1) {
		(void)snprintf(use, sizeof(use), ", conn_use=%u", r->conn_use);
	}
	(void)snprintf(dst, size, "relay=%s[%.*s]:%u%s",
	    str_safe(host, sizeof(host), r->dest_host), STR_ARG(r->dest_ip),
	    r->dest_port, use);
}

/* The reply on one line, with its code in front. */
static void
put_reply(char *dst, size_t size, const struct ipc_result *r)
{
	char code[8];
	char text[TEXT_SIZE];
	int at = 0;

	(void)str_safe(text, sizeof(text), r->smtp_text);
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '?' && r->smtp_text.p[p - text] == '\n') {
			*p = ' ';
		}
	}
	(void)snprintf(code, sizeof(code), "%03u", r->smtp_code % 1000u);
	if (r->smtp_code != 0 && strncmp(text, code, 3) != 0) {
		at = snprintf(dst, size, "%s ", code);
	}
	(void)snprintf(dst + at, size - (size_t)at, "%s", text);
}

void
result_log(
    const struct subject *s, const struct ipc_result *r, const char *status)
{
	char id[UUID_TEXT_SIZE];
	char to[320];
	char relay[384];
	char delays[160];
	char reply[TEXT_SIZE + 8];
	char host[256];
	char command[24];
	char dsn[17];
	bool is_sent = r->smtp_code >= 200 && r->smtp_code < 300;

	uuid_print(&s->msgid, id);
	put_relay(relay, sizeof(relay), r);
	put_delays(delays, sizeof(delays), s, r);
	put_reply(reply, sizeof(reply), r);
	(void)str_safe(to, sizeof(to), r->rcpt_to);
	(void)str_safe(dsn, sizeof(dsn), r->smtp_enh);
	if (is_sent || r->smtp_code == 0 || r->dest_ip.len == 0) {
		log_info("%s: to=<%s>, %s, %s, dsn=%s, status=%s (%s)", id, to,
		    relay, delays, dsn, status, reply);
		return;
	}
	log_info("%s: to=<%s>, %s, %s, dsn=%s, status=%s (host %s[%.*s] said: "
		 "%s (in reply to %s command))",
	    id, to, relay, delays, dsn, status,
	    str_safe(host, sizeof(host), r->dest_host), STR_ARG(r->dest_ip),
	    reply, str_safe(command, sizeof(command), r->smtp_command));
}
