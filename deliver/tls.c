#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/queue.h>

#include "buf.h"
#include "log.h"
#include "map.h"
#include "service.h"
#include "str.h"

/* RFC 7218: the numbers of TLSA records. */
#define USAGE_DANE_TA 2
#define USAGE_DANE_EE 3
#define SELECTOR_SPKI 1
#define MATCHING_SHA2_512 2

/* A remembered session; the oldest go first when there are too many. */
struct ticket {
	TAILQ_ENTRY(ticket) link;
	char *key;
	SSL_SESSION *session;
};

static struct {
	SSL_CTX *ctx;
	int key_index; /* of the key among an SSL's extra data */
	struct map *tickets;
	TAILQ_HEAD(, ticket) by_age;
} tls;

/* Where systems keep the authorities' certificates in one file. */
static const char *const ca_files[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

static void
key_free(
    void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	free(ptr);
}

static void
ticket_free(struct ticket *t)
{
	TAILQ_REMOVE(&tls.by_age, t, link);
	(void)map_del(tls.tickets, str_of(t->key));
	SSL_SESSION_free(t->session);
	free(t->key);
	free(t);
}

void
tls_forget(const char *key)
{
	struct ticket *t = map_get(tls.tickets, str_of(key));

	if (t != NULL) {
		ticket_free(t);
	}
}

/* OpenSSL has a new session; returning 1 keeps the reference. */
static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
	const char *key = SSL_get_ex_data(ssl, tls.key_index);
	struct ticket *t;

	if (key == NULL || conf()->smtp_tls_session_cache_limit == 0) {
		return 0;
	}
	tls_forget(key);
	while (map_len(tls.tickets) >= conf()->smtp_tls_session_cache_limit) {
		ticket_free(TAILQ_FIRST(&tls.by_age));
	}
	t = mem_alloc(sizeof(*t));
	t->key = mem_strdup(key);
	t->session = session;
	TAILQ_INSERT_TAIL(&tls.by_age, t, link);
	(void)map_put(tls.tickets, str_of(key), t);
	return 1;
}

static int
parse_protocol(const char *name)
{
	static const struct {
		const char *name;
		int version;
	} versions[] = {
		{ "TLSv1", TLS1_VERSION },
		{ "TLSv1.1", TLS1_1_VERSION },
		{ "TLSv1.2", TLS1_2_VERSION },
		{ "TLSv1.3", TLS1_3_VERSION },
	};

	if (strncmp(name, ">=", 2) == 0) {
		name += 2;
	}
	for (size_t i = 0; i < array_len(versions); i++) {
		if (strcmp(name, versions[i].name) == 0) {
			return versions[i].version;
		}
	}
	fatal("smtp_tls_protocols: %s is not one of TLSv1, TLSv1.1, TLSv1.2, "
	      "TLSv1.3",
	    name);
}

/*
 * By file, all at once: directories of certificates are read when needed,
 * and a confined process cannot.
 */
static void
load_authorities(void)
{
	const char *file = conf()->smtp_tls_CAfile;

	if (file[0] != '\0') {
		if (SSL_CTX_load_verify_file(tls.ctx, file) != 1) {
			fatal("smtp_tls_CAfile: cannot read certificates from "
			      "%s: %s",
			    file, ERR_reason_error_string(ERR_get_error()));
		}
		return;
	}
	for (size_t i = 0; i < array_len(ca_files); i++) {
		if (SSL_CTX_load_verify_file(tls.ctx, ca_files[i]) == 1) {
			ERR_clear_error();
			return;
		}
	}
	ERR_clear_error();
	log_warn("no certificates of authorities found: no server's "
		 "certificate can be verified; set smtp_tls_CAfile");
}

void
tls_init(void)
{
	tls.ctx = SSL_CTX_new(TLS_client_method());
	if (tls.ctx == NULL) {
		fatal("cannot make a TLS context: %s",
		    ERR_reason_error_string(ERR_get_error()));
	}
	if (SSL_CTX_set_cipher_list(tls.ctx, conf()->smtp_tls_ciphers) != 1) {
		fatal("smtp_tls_ciphers: OpenSSL knows no cipher of %s",
		    conf()->smtp_tls_ciphers);
	}
	(void)SSL_CTX_set_min_proto_version(
	    tls.ctx, parse_protocol(conf()->smtp_tls_protocols));
	(void)SSL_CTX_set_options(
	    tls.ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_session_cache_mode(
	    tls.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls.ctx, on_new_session);
	/* What to do about a bad certificate is decided by the policy. */
	SSL_CTX_set_verify(tls.ctx, SSL_VERIFY_NONE, NULL);
	/* RFC 7672 section 3.1.1: with DANE-EE the records alone decide. */
	if (SSL_CTX_dane_enable(tls.ctx) != 1) {
		fatal("cannot enable DANE: %s",
		    ERR_reason_error_string(ERR_get_error()));
	}
	(void)SSL_CTX_dane_set_flags(tls.ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	load_authorities();
	tls.key_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, key_free);
	tls.tickets = map_new();
	TAILQ_INIT(&tls.by_age);
}

void
tls_fini(void)
{
	struct ticket *t;

	if (tls.ctx == NULL) {
		return;
	}
	while ((t = TAILQ_FIRST(&tls.by_age)) != NULL) {
		ticket_free(t);
	}
	map_free(&tls.tickets, NULL);
	SSL_CTX_free(tls.ctx);
	tls.ctx = NULL;
}

/* The server may have a right certificate by now, and would not show it. */
static void
resume(SSL *ssl, SSL_SESSION *session, bool must_verify)
{
	(void)SSL_set_session(ssl, session);
	if (must_verify && SSL_get_verify_result(ssl) != X509_V_OK) {
		(void)SSL_set_session(ssl, NULL);
	}
}

SSL *
tls_client(const char *host, bool is_address, const char *key, bool must_verify)
{
	SSL *ssl = SSL_new(tls.ctx);
	const struct ticket *t = map_get(tls.tickets, str_of(key));
	int ok = 1;

	if (ssl == NULL) {
		return NULL;
	}
	if (is_address) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	} else {
		/* SSL_set_tlsext_host_name, whose cast drops const */
		ok = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
			 TLSEXT_NAMETYPE_host_name,
			 (void *)(uintptr_t)host) == 1 &&
		    SSL_set1_host(ssl, host) == 1;
		/* RFC 8461 section 4.1: only names that are meant as names. */
		SSL_set_hostflags(ssl,
		    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
			X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	}
	if (!ok) {
		SSL_free(ssl);
		return NULL;
	}
	(void)SSL_set_ex_data(ssl, tls.key_index, mem_strdup(key));
	if (t != NULL) {
		resume(ssl, t->session, must_verify);
	}
	return ssl;
}

bool
tls_tlsa_is_usable(const struct plan_tlsa *t)
{
	return (t->usage == USAGE_DANE_TA || t->usage == USAGE_DANE_EE) &&
	    t->selector <= SELECTOR_SPKI && t->matching <= MATCHING_SHA2_512;
}

SSL *
tls_client_dane(const char *host, const char *domain,
    const struct plan_tlsa *tlsa, unsigned n)
{
	SSL *ssl = SSL_new(tls.ctx);

	if (ssl == NULL) {
		return NULL;
	}
	/* It is the name in SNI, and the first one for the certificate. */
	if (SSL_dane_enable(ssl, host) != 1 ||
	    (domain[0] != '\0' && SSL_add1_host(ssl, domain) != 1)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (unsigned i = 0; i < n; i++) {
		/* What OpenSSL finds malformed cannot match. */
		if (tls_tlsa_is_usable(&tlsa[i])) {
			(void)SSL_dane_tlsa_add(ssl, tlsa[i].usage,
			    tlsa[i].selector, tlsa[i].matching,
			    (const unsigned char *)tlsa[i].data.p,
			    tlsa[i].data.len);
		}
	}
	ERR_clear_error();
	return ssl;
}

/*
 * With no TLSA record at all OpenSSL would be content with an authority; only
 * sessions without DANE have a key.
 */
static bool
is_proven(SSL *ssl)
{
	return SSL_get_verify_result(ssl) == X509_V_OK &&
	    (SSL_get_ex_data(ssl, tls.key_index) != NULL ||
		SSL_get0_dane_authority(ssl, NULL, NULL) >= 0);
}

static void
print_fingerprint(const X509 *cert, char *dst, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t at = 0;

	if (X509_digest(cert, EVP_sha256(), md, &n) != 1) {
		n = 0;
	}
	for (unsigned i = 0; i < n && at + 3 < size; i++) {
		if (i > 0) {
			dst[at++] = ':';
		}
		dst[at++] = hex[md[i] >> 4];
		dst[at++] = hex[md[i] & 15];
	}
	dst[at] = '\0';
}

/* The name that was verified, else the subject's. */
static void
print_name(SSL *ssl, X509 *cert, char *dst, size_t size)
{
	const char *peer = SSL_get0_peername(ssl);
	char name[256] = "";

	if (peer == NULL) {
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
		    NID_commonName, name, sizeof(name));
		peer = name;
	}
	(void)str_safe(dst, size, str_of(peer));
}

void
tls_read_facts(SSL *ssl, struct facts_tls *out)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);

	str_copy(out->proto, sizeof(out->proto), str_of(SSL_get_version(ssl)));
	str_copy(
	    out->cipher, sizeof(out->cipher), str_of(SSL_get_cipher_name(ssl)));
	out->is_verified = cert != NULL && is_proven(ssl);
	out->result = out->is_verified ? "verified" : "encrypted";
	out->verify_error = out->is_verified ? NULL : tls_verify_text(ssl);
	if (cert != NULL) {
		print_fingerprint(cert, out->cert_fp, sizeof(out->cert_fp));
		print_name(ssl, cert, out->cert_name, sizeof(out->cert_name));
	}
}

const char *
tls_verify_text(SSL *ssl)
{
	return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
}
