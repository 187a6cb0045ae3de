#include "ask_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <unbound-event.h>
#include <unbound.h>

#include "clock.h"
#include "domain.h"
#include "file.h"
#include "log.h"
#include "loop.h"
#include "service.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* A configuration file beyond this is none of ours, bytes. */
#define FILE_MAX (256 * 1024)

/* Answers are kept in this part of dns_cache_size: messages are small. */
#define MESSAGE_SHARE 3

/*
 * Zones that libunbound answers itself by default, but that a site's own name
 * servers may well serve (RFC 6303 zones go with unblock-lan-zones). What
 * stays is localhost, invalid and onion.
 */
static const char *const open_zones[] = { "test.", "home.arpa.",
	"127.in-addr.arpa.",
	("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	 "ip6.arpa.") };

static void
set_option(struct ub_ctx *ctx, const char *name, const char *value)
{
	/* libunbound takes its arguments as char *, and changes none */
	int e = ub_ctx_set_option(ctx, name, value);

	if (e != 0) {
		fatal("libunbound does not take %s %s: %s", name, value,
		    ub_strerror(e));
	}
}

static void
set_number(struct ub_ctx *ctx, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	set_option(ctx, name, text);
}

static void
set_options(struct ub_ctx *ctx, bool has_dnssec)
{
	uint64_t message_cache = conf()->dns_cache_size / MESSAGE_SHARE;

	/* Servers on this machine are the usual case. */
	set_option(ctx, "do-not-query-localhost:", "no");
	set_option(ctx,
	    "module-config:", has_dnssec ? "validator iterator" : "iterator");
	set_option(ctx, "unblock-lan-zones:", "yes");
	set_option(ctx, "insecure-lan-zones:", "yes");
	/* One socket for each question under way. */
	set_number(ctx, "outgoing-range:", conf()->dns_question_limit);
	set_number(ctx, "num-queries-per-thread:", conf()->dns_question_limit);
	set_number(ctx, "outgoing-num-tcp:", 32);
	set_number(ctx, "msg-cache-size:", message_cache);
	set_number(
	    ctx, "rrset-cache-size:", conf()->dns_cache_size - message_cache);
	set_number(ctx,
	    "cache-max-negative-ttl:", conf()->dns_negative_time / US_PER_S);
	/* After an outage servers are found alive again at once. */
	set_option(ctx, "infra-keep-probing:", "yes");
	set_number(ctx, "infra-host-ttl:", 60);
}

/* "192.0.2.1", "192.0.2.1@53", "[2001:db8::1]@53" are the same to us. */
static int
add_server(void *arg, const char *word, size_t len)
{
	struct str s = { word, len };
	const char *at = memchr(word, '@', len);
	uint64_t port = 53;
	struct domain_ip ip;
	char text[64];
	int e;

	if (at != NULL) {
		s.len = (size_t)(at - word);
		if (str_u64((struct str){ at + 1, len - s.len - 1 }, 65535,
			&port) < 0 ||
		    port == 0) {
			fatal("dns_servers: %.*s has no valid port", (int)len,
			    word);
		}
	}
	if (s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']') {
		s = (struct str){ s.p + 1, s.len - 2 };
	}
	if (domain_ip_parse(s.p, s.len, &ip) < 0) {
		fatal("dns_servers: %.*s is not address@port", (int)len, word);
	}
	(void)snprintf(
	    text, sizeof(text), "%.*s@%u", STR_ARG(s), (unsigned)port);
	e = ub_ctx_set_fwd(arg, text);
	if (e != 0) {
		fatal("dns_servers: %s: %s", text, ub_strerror(e));
	}
	return 0;
}

void
ask_config_servers(struct str text, struct buf *out)
{
	static const char word[] = "nameserver";
	struct str line;

	while (str_split(&text, '\n', &line)) {
		struct domain_ip ip;
		size_t n = 0;

		line = str_trim(line);
		if (!str_starts(line, word) || line.len < sizeof(word) ||
		    (line.p[sizeof(word) - 1] != ' ' &&
			line.p[sizeof(word) - 1] != '\t')) {
			continue;
		}
		line = str_trim((struct str){
		    line.p + sizeof(word), line.len - sizeof(word) });
		while (n < line.len && line.p[n] != ' ' && line.p[n] != '\t') {
			n++;
		}
		if (domain_ip_parse(line.p, n, &ip) == 0) {
			buf_add(out, line.p, n);
			buf_u8(out, '\n');
		}
	}
}

static void
set_servers(struct ub_ctx *ctx)
{
	struct buf file = { 0 }, servers = { 0 };
	int e;

	if (conf()->dns_servers[0] != '\0') {
		(void)conf_list_each(conf()->dns_servers, add_server, ctx);
		return;
	}
	e = file_load(RESOLV_CONF, FILE_MAX, &file);
	if (e < 0 && e != -ENOENT) {
		fatal("%s: %s", RESOLV_CONF, strerror(-e));
	}
	ask_config_servers(buf_str(&file), &servers);
	if (servers.len == 0) {
		/* resolv.conf(5): the server on this machine */
		buf_puts(&servers, "127.0.0.1\n");
	}
	for (struct str rest = buf_str(&servers), line;
	     str_split(&rest, '\n', &line);) {
		if (line.len > 0) {
			(void)add_server(ctx, line.p, line.len);
		}
	}
	buf_fini(&file);
	buf_fini(&servers);
}

/* The owner of a record, without a final dot unless it is the root. */
static void
keep_owner(struct str record, char owner[DOMAIN_NAME_MAX + 1])
{
	size_t n = 0;

	while (n < record.len && record.p[n] != ' ' && record.p[n] != '\t') {
		n++;
	}
	if (n > 1 && record.p[n - 1] == '.') {
		n--;
	}
	str_copy(owner, DOMAIN_NAME_MAX + 1, (struct str){ record.p, n });
}

static void
add_anchors(struct ub_ctx *ctx, struct str text, char *owner)
{
	struct str line;
	unsigned n = 0;

	while (str_split(&text, '\n', &line)) {
		char record[4096];
		int e;

		line = str_trim(line);
		if (line.len == 0 || line.p[0] == ';' || line.p[0] == '#') {
			continue;
		}
		str_copy(record, sizeof(record), line);
		e = ub_ctx_add_ta(ctx, record);
		if (e != 0) {
			fatal("dns_dnssec_trust_anchor: %s: %s", record,
			    ub_strerror(e));
		}
		if (n++ == 0) {
			keep_owner(line, owner);
		}
	}
	if (n == 0) {
		fatal("dns_dnssec_trust_anchor holds no record");
	}
}

static void
set_anchors(struct ub_ctx *ctx, const char *anchor, char *owner)
{
	struct buf file = { 0 };
	int e;

	if (anchor[0] != '/') {
		add_anchors(ctx, str_of(anchor), owner);
		return;
	}
	e = file_load(anchor, FILE_MAX, &file);
	if (e < 0) {
		fatal("dns_dnssec_trust_anchor = %s: %s", anchor, strerror(-e));
	}
	add_anchors(ctx, buf_str(&file), owner);
	buf_fini(&file);
}

static void
ignore(void *arg, int rcode, void *packet, int len, int security,
    char *why_bogus, int was_limited)
{
	(void)arg;
	(void)rcode;
	(void)packet;
	(void)len;
	(void)security;
	(void)why_bogus;
	(void)was_limited;
}

/* The first question makes libunbound read and check its options. */
static void
finalize(struct ub_ctx *ctx)
{
	char name[] = "localhost.";
	int e = ub_resolve_event(ctx, name, 1, 1, NULL, ignore, NULL);

	if (e != 0) {
		fatal("the name servers cannot be used: %s; "
		      "check dns_dnssec_trust_anchor",
		    ub_strerror(e));
	}
	for (size_t i = 0; i < array_len(open_zones); i++) {
		e = ub_ctx_zone_remove(ctx, open_zones[i]);
		if (e != 0) {
			fatal("libunbound keeps the zone %s: %s", open_zones[i],
			    ub_strerror(e));
		}
	}
}

struct ub_ctx *
ask_config_open(char anchor[DOMAIN_NAME_MAX + 1])
{
	struct ub_ctx *ctx = ub_ctx_create_event(loop_base());
	const char *text = conf()->dns_dnssec_trust_anchor;

	if (ctx == NULL) {
		fatal("libunbound cannot be initialised");
	}
	/* Its words would go to standard error. */
	(void)ub_ctx_debugout(ctx, NULL);
	anchor[0] = '\0';
	set_options(ctx, text[0] != '\0');
	set_servers(ctx);
	if (text[0] != '\0') {
		set_anchors(ctx, text, anchor);
	}
	finalize(ctx);
	return ctx;
}
