#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "log.h"
#include "service.h"
#include "str.h"
#include "tickets.h"

static SSL_CTX *context;

static const char *
last_error(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(e);

	return text != NULL ? text : "unknown error";
}

static void
set_options(SSL_CTX *c)
{
	(void)SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	(void)SSL_CTX_set_options(c,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle connection must not keep two records of 16 KB. */
	(void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	tickets_init(c);
	(void)SSL_CTX_set_dh_auto(c, 1);
	if (SSL_CTX_set_cipher_list(c, conf()->smtpd_tls_ciphers) != 1) {
		fatal("smtpd_tls_ciphers: no cipher in \"%s\"",
		    conf()->smtpd_tls_ciphers);
	}
}

/* An expired certificate still encrypts; clients may refuse it. */
static void
check_dates(const X509 *cert)
{
	const ASN1_TIME *end = X509_get0_notAfter(cert);
	char text[64] = "";
	BIO *b;

	if (cert == NULL || X509_cmp_current_time(end) > 0) {
		return;
	}
	b = BIO_new(BIO_s_mem());
	if (b != NULL && ASN1_TIME_print(b, end) == 1) {
		int n = BIO_read(b, text, (int)sizeof(text) - 1);

		text[n > 0 ? n : 0] = '\0';
	}
	(void)BIO_free(b);
	log_warn("smtpd_tls_cert_file: certificate expired on %s: %s", text,
	    conf()->smtpd_tls_cert_file);
}

/* A key that every user of the machine can read protects nobody's mail. */
static void
check_key_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
		fatal("smtpd_tls_key_file: %s: everybody may read or change "
		      "it: chmod o= it",
		    path);
	}
}

static void
load(SSL_CTX *c, const char *cert, const char *key)
{
	check_key_mode(key);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(c, cert) != 1) {
		fatal("smtpd_tls_cert_file: cannot use %s: %s", cert,
		    last_error());
	}
	if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1) {
		fatal(
		    "smtpd_tls_key_file: cannot use %s: %s", key, last_error());
	}
	if (SSL_CTX_check_private_key(c) != 1) {
		fatal("smtpd_tls_key_file: %s is not the key of %s", key, cert);
	}
	check_dates(SSL_CTX_get0_certificate(c));
}

void
tls_init(void)
{
	const char *cert = conf()->smtpd_tls_cert_file;
	const char *key = conf()->smtpd_tls_key_file;

	if (cert[0] == '\0') {
		return;
	}
	context = SSL_CTX_new(TLS_server_method());
	if (context == NULL) {
		fatal("cannot begin TLS: %s", last_error());
	}
	set_options(context);
	load(context, cert, key[0] != '\0' ? key : cert);
}

void
tls_fini(void)
{
	SSL_CTX_free(context);
	context = NULL;
	tickets_fini();
}

bool
tls_is_available(void)
{
	return context != NULL;
}

SSL *
tls_new(enum port_role role)
{
	static const char *const names[] = {
		[PORT_SUBMISSION] = "packetboat submission",
		[PORT_SUBMISSIONS] = "packetboat submissions",
		[PORT_MX] = "packetboat mx",
	};
	SSL *ssl = SSL_new(context);

	bug_on(ssl == NULL);
	/* A ticket of one role gives no session in another. */
	bug_on(
	    SSL_set_session_id_context(ssl, (const unsigned char *)names[role],
		(unsigned)strlen(names[role])) != 1);
	return ssl;
}

void
tls_describe(const struct session *s, char *dst, size_t size)
{
	SSL *ssl = stream_ssl(s->stream);

	dst[0] = '\0';
	if (ssl != NULL) {
		(void)snprintf(dst, size, "%s %s", SSL_get_version(ssl),
		    SSL_get_cipher_name(ssl));
	}
}

void
command_starttls(struct session *s, struct str args)
{
	if (args.len != 0) {
		session_error(s, "501 5.5.4 Syntax: STARTTLS");
		return;
	}
	if (session_is_tls(s)) {
		session_error(s, "503 5.5.1 Error: TLS already active");
		return;
	}
	if (!tls_is_available()) {
		session_error(s, "502 5.5.1 Error: command not implemented");
		return;
	}
	if (s->tx != NULL) {
		session_error(s,
		    "503 5.5.1 Error: mail transaction in "
		    "progress");
		return;
	}
	/* RFC 3207 section 6, CVE-2011-0411: what came in clear behind the
	 * command was not said by whom the handshake will identify. */
	if (stream_input(s->stream).len != 0) {
		log_warn("improper command pipelining after STARTTLS from "
			 "unknown[%s]",
		    s->ip);
		session_close(s, "554 5.5.0 Error: input after STARTTLS");
		return;
	}
	session_reply(s, "220 2.0.0 Ready to start TLS");
	session_forget(s);
	s->mode = MODE_HANDSHAKE;
	stream_flush(s->stream);
	stream_start_tls(s->stream, tls_new(s->role), true);
}
