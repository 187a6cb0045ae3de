#include "url.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "addr_filter.h"
#include "buf.h"

static int
parse_port(struct str s, uint16_t *out)
{
	uint64_t v = 0;

	if (str_u64(s, 65535, &v) < 0 || v == 0) {
		return -EINVAL;
	}
	*out = (uint16_t)v;
	return 0;
}

int
url_ports_parse(const char *list, struct url_ports *out)
{
	struct url_ports ports = { .n = 0 };
	size_t n = 0;

	for (const char *p = list; *p != '\0'; p += n) {
		struct str word;
		struct str first = { 0 };
		uint16_t a, b;

		n = strcspn(p, ", \t\n");
		if (n == 0) {
			n = 1;
			continue;
		}
		if (ports.n == URL_PORTS_MAX) {
			return -E2BIG;
		}
		word = (struct str){ p, n };
		if (!str_split(&word, '-', &first) ||
		    parse_port(first, &a) < 0 ||
		    parse_port(word.len != 0 ? word : first, &b) < 0 || b < a) {
			return -EINVAL;
		}
		ports.range[ports.n].first = a;
		ports.range[ports.n].last = b;
		ports.n++;
	}
	*out = ports;
	return 0;
}

static bool
port_is_allowed(const struct url_ports *ports, uint16_t port)
{
	for (unsigned i = 0; i < ports->n; i++) {
		if (port >= ports->range[i].first &&
		    port <= ports->range[i].last) {
			return true;
		}
	}
	return false;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f) {
			return true;
		}
	}
	return false;
}

static bool
part_is(CURLU *h, CURLUPart part, const char *text)
{
	char *value = NULL;
	bool same;

	if (curl_url_get(h, part, &value, 0) != CURLUE_OK) {
		return false;
	}
	same = strcmp(value, text) == 0;
	curl_free(value);
	return same;
}

static bool
has_part(CURLU *h, CURLUPart part)
{
	char *value = NULL;
	bool has = curl_url_get(h, part, &value, 0) == CURLUE_OK;

	curl_free(value);
	return has;
}

/* What the name's addresses are kept under must be what libcurl looks for. */
static bool
is_plain(struct str host)
{
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = (unsigned char)host.p[i];

		if (c <= ' ' || c >= 0x7f || c == '%') {
			return false;
		}
	}
	return true;
}

static const char *
take_host(CURLU *h, struct url *u)
{
	char *host = NULL;
	char *port = NULL;
	struct str name;
	const char *why = NULL;

	if (curl_url_get(h, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(h, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) !=
		CURLUE_OK) {
		curl_free(host);
		return "it has no host";
	}
	name = str_of(host);
	if (name.len > 2 && host[0] == '[') {
		name.p++;
		name.len -= 2;
	}
	if (name.len > 1 && name.p[name.len - 1] == '.') {
		name.len--;
	}
	if (name.len == 0 || name.len >= sizeof(u->host)) {
		why = "its host is too long";
	} else if (!is_plain(name)) {
		why = "its host is not in ASCII (xn--)";
	} else if (parse_port(str_of(port), &u->port) < 0) {
		why = "its port is no port";
	}
	str_copy(u->host, sizeof(u->host), name);
	u->is_literal = addr_parse(u->host, &u->address) == 0;
	curl_free(host);
	curl_free(port);
	return why;
}

static const char *
check(CURLU *h, bool allow_http, const struct url_ports *ports, struct url *u)
{
	char *text = NULL;
	const char *why;

	if (!part_is(h, CURLUPART_SCHEME, "https") &&
	    !(allow_http && part_is(h, CURLUPART_SCHEME, "http"))) {
		return "it is not https";
	}
	if (has_part(h, CURLUPART_USER) || has_part(h, CURLUPART_PASSWORD)) {
		return "it has a user name";
	}
	why = take_host(h, u);
	if (why != NULL) {
		return why;
	}
	if (!u->is_literal &&
	    curl_url_set(h, CURLUPART_HOST, u->host, 0) != CURLUE_OK) {
		return "its host is no name";
	}
	if (!port_is_allowed(ports, u->port)) {
		return "its port is not in webhook_ports";
	}
	(void)curl_url_set(h, CURLUPART_FRAGMENT, NULL, 0);
	if (curl_url_get(h, CURLUPART_URL, &text, 0) != CURLUE_OK) {
		return "it is no URL";
	}
	u->text = mem_strdup(text);
	curl_free(text);
	return NULL;
}

int
url_parse(struct str text, bool allow_http, const struct url_ports *ports,
    struct url *out, const char **why)
{
	struct url u = { 0 };
	CURLU *h;
	char *copy;

	if (text.len == 0 || has_control(text)) {
		*why = "it has blanks or control characters";
		return -EINVAL;
	}
	copy = str_dup(text);
	h = curl_url();
	bug_on(h == NULL);
	if (curl_url_set(h, CURLUPART_URL, copy, 0) != CURLUE_OK) {
		*why = "it is no URL";
	} else {
		*why = check(h, allow_http, ports, &u);
	}
	curl_url_cleanup(h);
	free(copy);
	if (*why != NULL) {
		return -EINVAL;
	}
	*out = u;
	return 0;
}

void
url_fini(struct url *u)
{
	free(u->text);
	*u = (struct url){ 0 };
}
