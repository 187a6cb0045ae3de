#include "sts_http.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "str.h"

/* A header larger than this is none that a policy's server sends, bytes. */
#define HEADER_MAX (64 * 1024)

struct transfer {
	const struct sts_http *http;
	struct buf body;
	size_t n_header;
	bool is_cut;
	char error[CURL_ERROR_SIZE];
};

void
sts_http_prepare(void *arg)
{
	struct sts_http *h = arg;

	h->multi = curl_multi_init();
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (t->body.len + size * n > t->http->size_max) {
		t->is_cut = true;
		return 0;
	}
	buf_add(&t->body, data, size * n);
	return size * n;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	(void)data;
	t->n_header += size * n;
	t->is_cut = t->is_cut || t->n_header > HEADER_MAX;
	return t->is_cut ? 0 : size * n;
}

/* Called when libcurl does not know the addresses of a name: it must not ask
 * for them. */
static int
on_resolve(void *state, void *reserved, void *arg)
{
	(void)state;
	(void)reserved;
	(void)arg;
	return 1;
}

static CURLcode
use_store(CURL *easy, void *ctx, void *arg)
{
	(void)easy;
	SSL_CTX_set1_cert_store(ctx, arg);
	return CURLE_OK;
}

/* RFC 8461 section 3.3: the certificate is verified, and no redirect is
 * followed. */
static void
set_security(CURL *e, const struct sts_http *h)
{
	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "");
	(void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(e, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(e, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	/* use_store brings the certificates instead. */
	(void)curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	(void)curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, use_store);
	(void)curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, h->store);
	(void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(
	    e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* RFC 8461 section 3.3: no cached answer of somebody's. */
	(void)curl_easy_setopt(
	    e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static void
set_request(CURL *e, const struct sts_http *h, struct transfer *t)
{
	char url[512];

	(void)snprintf(url, sizeof(url),
	    "https://%s:%u/.well-known/mta-sts.txt", h->host,
	    (unsigned)h->port);
	(void)curl_easy_setopt(e, CURLOPT_URL, url);
	(void)curl_easy_setopt(
	    e, CURLOPT_USERAGENT, "Packetboat/" PACKAGE_VERSION);
	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(
	    e, CURLOPT_TIMEOUT_MS, (long)(h->time_us / 1000));
	(void)curl_easy_setopt(
	    e, CURLOPT_CONNECTTIMEOUT_MS, (long)(h->time_us / 1000));
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
}

/* Not curl_easy_perform: it would make a handle of its own. */
static CURLcode
perform(CURLM *multi, CURL *e)
{
	CURLcode code = CURLE_FAILED_INIT;
	int running = 1;
	int left;
	CURLMsg *m;

	(void)curl_multi_add_handle(multi, e);
	while (running > 0) {
		if (curl_multi_perform(multi, &running) != CURLM_OK ||
		    (running > 0 &&
			curl_multi_poll(multi, NULL, 0, 1000, NULL) !=
			    CURLM_OK)) {
			return code;
		}
	}
	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		if (m->msg == CURLMSG_DONE) {
			code = m->data.result;
		}
	}
	return code;
}

/* RFC 8461 section 3.2: the media type is text/plain. */
static bool
is_text_plain(const char *type)
{
	static const char wanted[] = "text/plain";
	size_t n = sizeof(wanted) - 1;

	return type != NULL && strncasecmp(type, wanted, n) == 0 &&
	    (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static void
tell(CURL *e, CURLcode code, const struct transfer *t, struct buf *out)
{
	const char *type = NULL;
	long status = 0;

	(void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(e, CURLINFO_CONTENT_TYPE, &type);
	buf_u8(out, STS_HTTP_ERROR);
	if (t->is_cut) {
		buf_puts(out, "it is larger than mta_sts_policy_size");
	} else if (code != CURLE_OK) {
		buf_puts(out,
		    t->error[0] != '\0' ? t->error : curl_easy_strerror(code));
	} else if (status != 200) {
		buf_printf(
		    out, "the server answered with %ld, not 200", status);
	} else if (!is_text_plain(type)) {
		buf_printf(out, "its media type is %.60s, not text/plain",
		    type != NULL ? type : "missing");
	} else {
		out->p[0] = STS_HTTP_TEXT;
		buf_add(out, t->body.p, t->body.len);
	}
}

void
sts_http_run(const void *arg, struct buf *out)
{
	const struct sts_http *h = arg;
	struct curl_slist *resolve = curl_slist_append(NULL, h->resolve);
	struct transfer t = { .http = h };
	CURL *e = curl_easy_init();

	if (h->multi == NULL || e == NULL || resolve == NULL) {
		buf_puts(out, "-libcurl cannot start");
		return;
	}
	set_security(e, h);
	set_request(e, h, &t);
	(void)curl_easy_setopt(e, CURLOPT_RESOLVE, resolve);
	tell(e, perform(h->multi, e), &t, out);
	/* The process ends: the system frees the rest. */
	buf_fini(&t.body);
}
