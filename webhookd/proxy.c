#include "proxy.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "lookup.h"
#include "service.h"
#include "url.h"

static struct {
	bool is_used;
	struct url url;
	char *text; /* "http://host:port" */
	char *user; /* "user:password"; NULL: none */
	char *resolve;
	uint64_t until_us; /* monotonic */
} proxy;

static const char scheme[] = "http://";

static NORETURN void
refuse(const char *why)
{
	/* Not its value: that may have a password. */
	fatal("webhook_proxy: %s; it has to be http://host:port or "
	      "http://user:password@host:port",
	    why);
}

void
proxy_init(void)
{
	const struct url_ports all = { .range = { { 1, 65535 } }, .n = 1 };
	const char *text = conf()->webhook_proxy;
	const char *host = text + sizeof(scheme) - 1;
	const char *at;
	const char *why = NULL;
	char plain[URL_HOST_SIZE + 32];

	if (text[0] == '\0') {
		return;
	}
	if (!str_starts(str_of(text), scheme)) {
		refuse("no http:// at its begin");
	}
	at = strrchr(host, '@');
	if (at != NULL) {
		proxy.user = str_dup((struct str){ host, (size_t)(at - host) });
		host = at + 1;
	}
	(void)snprintf(plain, sizeof(plain), "%s%s", scheme, host);
	if (url_parse(str_of(plain), true, &all, &proxy.url, &why) < 0) {
		refuse(why);
	}
	(void)snprintf(plain, sizeof(plain),
	    strchr(proxy.url.host, ':') != NULL ? "http://[%s]:%u"
						: "http://%s:%u",
	    proxy.url.host, (unsigned)proxy.url.port);
	proxy.text = mem_strdup(plain);
	proxy.is_used = true;
}

void
proxy_stop(void)
{
	if (proxy.user != NULL) {
		explicit_bzero(proxy.user, strlen(proxy.user));
	}
	url_fini(&proxy.url);
	free(proxy.text);
	free(proxy.user);
	free(proxy.resolve);
	memset(&proxy, 0, sizeof(proxy));
}

bool
proxy_is_used(void)
{
	return proxy.is_used;
}

bool
proxy_is_known(void)
{
	return !proxy.is_used || proxy.url.is_literal ||
	    (proxy.resolve != NULL && clock_mono_us() < proxy.until_us);
}

const char *
proxy_host(void)
{
	return proxy.url.host;
}

const char *
proxy_take(const struct ipc_addr_rep *m, char *error, size_t size)
{
	char why[256];

	if (lookup_take(&proxy.url, m, NULL, &proxy.resolve, &proxy.until_us,
		why, sizeof(why)) < 0) {
		(void)snprintf(error, size, "webhook_proxy: %s", why);
		return error;
	}
	return NULL;
}

const char *
proxy_resolve(void)
{
	return proxy.url.is_literal ? NULL : proxy.resolve;
}

static unsigned
count_addresses(struct str list)
{
	struct str word;
	unsigned n = 0;

	while (str_split(&list, ',', &word)) {
		n++;
	}
	return n;
}

/* "host:port:address:port" with one address of the list, each in its turn. */
static struct curl_slist *
tell_address(const char *resolve, unsigned turn)
{
	const char *port = strchr(resolve, ':') + 1;
	const char *first = strchr(port, ':') + 1;
	struct str list = str_of(first);
	struct str word = { 0 };
	struct curl_slist *result;
	struct buf text = { 0 };

	for (unsigned n = turn % count_addresses(list) + 1; n > 0; n--) {
		(void)str_split(&list, ',', &word);
	}
	buf_add(&text, resolve, (size_t)(first - resolve));
	buf_add(&text, word.p, word.len);
	buf_u8(&text, ':');
	buf_add(&text, port, (size_t)(first - 1 - port));
	buf_u8(&text, 0);
	result = curl_slist_append(NULL, (const char *)text.p);
	bug_on(result == NULL);
	buf_fini(&text);
	return result;
}

void
proxy_set(
    CURL *e, const char *resolve, unsigned turn, struct curl_slist **connect_to)
{
	(void)curl_easy_setopt(e, CURLOPT_PROXY, proxy.text);
	(void)curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	(void)curl_easy_setopt(e, CURLOPT_PROXYUSERPWD, proxy.user);
	(void)curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (resolve != NULL) {
		*connect_to = tell_address(resolve, turn);
		(void)curl_easy_setopt(e, CURLOPT_CONNECT_TO, *connect_to);
	}
}
