#include "check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addr_filter.h"
#include "bounce_cf.h"
#include "client.h"
#include "routes.h"
#include "shaping.h"
#include "smtp_path.h"

static const char *const daemons[] = { "smtpd", "accountd", "signd", "qmgr",
	"resolvd", "deliver", "bouncer", "webhookd" };

static bool is_good;

static void mistake(const char *fmt, ...) PRINTF(1, 2);

static void
mistake(const char *fmt, ...)
{
	va_list ap;

	is_good = false;
	fputs("packetboat: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void
check_programs(void)
{
	for (size_t i = 0; i < array_len(daemons); i++) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s",
		    client_conf()->daemon_directory, daemons[i]);
		if (access(path, X_OK) < 0) {
			mistake("%s: %s", path, strerror(errno));
		}
	}
}

static X509 *
read_certificate(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	if (f == NULL) {
		mistake("smtpd_tls_cert_file: %s: %s", path, strerror(errno));
		return NULL;
	}
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	(void)fclose(f);
	if (cert == NULL) {
		mistake(
		    "smtpd_tls_cert_file: %s: holds no PEM certificate", path);
	}
	return cert;
}

static EVP_PKEY *
read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;

	if (f == NULL) {
		mistake("smtpd_tls_key_file: %s: %s", path, strerror(errno));
		return NULL;
	}
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	if (key == NULL) {
		mistake("smtpd_tls_key_file: %s: holds no PEM private key "
			"without a passphrase",
		    path);
	}
	return key;
}

static void
check_key_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
		mistake("smtpd_tls_key_file: %s: everybody may read or change "
			"it: chmod o= it",
		    path);
	}
}

static void
check_certificate(bool with_warnings)
{
	const struct conf *c = client_conf();
	X509 *cert;
	EVP_PKEY *key;

	if (c->smtpd_tls_cert_file[0] == '\0') {
		if (with_warnings) {
			fputs("packetboat: warning: smtpd_tls_cert_file is not "
			      "set: no TLS, and so no AUTH\n",
			    stderr);
		}
		return;
	}
	cert = read_certificate(c->smtpd_tls_cert_file);
	key = read_key(c->smtpd_tls_key_file);
	if (cert != NULL && key != NULL &&
	    X509_check_private_key(cert, key) != 1) {
		mistake("smtpd_tls_key_file: %s: is not the key of %s",
		    c->smtpd_tls_key_file, c->smtpd_tls_cert_file);
	}
	if (key != NULL) {
		check_key_mode(c->smtpd_tls_key_file);
	}
	if (cert != NULL && with_warnings &&
	    X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
		fprintf(stderr,
		    "packetboat: warning: smtpd_tls_cert_file: %s: has "
		    "expired\n",
		    c->smtpd_tls_cert_file);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
}

static void
check_shaping(void)
{
	struct buf error = { 0 };

	if (shaping_check(client_conf()->dir, &error) < 0) {
		mistake("%.*s", (int)error.len, (const char *)error.p);
	}
	buf_fini(&error);
}

/* Who is told of alerts when nothing else can be is not found out then. */
static void
check_alerts(void)
{
	const struct conf *c = client_conf();
	char path[4096];
	struct smtp_path contact;
	const struct passwd *pw;

	(void)snprintf(path, sizeof(path), "%.*s",
	    (int)strcspn(c->alert_command, " \t"), c->alert_command);
	if (path[0] != '\0' && (path[0] != '/' || access(path, X_OK) < 0)) {
		mistake("alert_command: %s: %s", path,
		    path[0] != '/' ? "is no absolute path" : strerror(errno));
	}
	pw = path[0] != '\0' && geteuid() == 0 ? getpwnam(c->alert_command_user)
					       : NULL;
	if (path[0] != '\0' && geteuid() == 0 &&
	    (pw == NULL || pw->pw_uid == 0)) {
		mistake("alert_command_user: %s: must be a user that exists, "
			"and not root",
		    c->alert_command_user);
	}
	(void)snprintf(path, sizeof(path), "<%s>", c->alert_contact);
	if (c->alert_contact[0] != '\0' &&
	    (smtp_path_parse(path, strlen(path), 0, &contact) < 0 ||
		contact.domain_len == 0)) {
		mistake(
		    "alert_contact: %s: is no mail address", c->alert_contact);
	}
}

static void
check_users(void)
{
	if (geteuid() != 0) {
		return;
	}
	for (size_t i = 0; i < array_len(daemons); i++) {
		char name[128];

		(void)snprintf(name, sizeof(name), "%s%s",
		    client_conf()->daemon_user_prefix, daemons[i]);
		if (getpwnam(name) == NULL) {
			mistake("user %s does not exist: create it with "
				"systemd-sysusers or useradd --system, or "
				"change daemon_user_prefix",
			    name);
		}
	}
}

static void
check_bounces(void)
{
	struct buf error = { 0 };

	if (bounce_cf_check(client_conf()->dir, &error) < 0) {
		mistake("%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
}

static void
check_delivery(void)
{
	const struct conf *c = client_conf();
	struct buf error = { 0 };
	struct addr_nets nets;

	if (routes_check(c, &error) < 0) {
		mistake("%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
	if (addr_nets_parse(c->smtp_allow_networks, &nets) < 0) {
		mistake("smtp_allow_networks = %s: write at most %d networks "
			"as address/bits",
		    c->smtp_allow_networks, ADDR_NETS_MAX);
	}
}

bool
check_installation(bool with_warnings)
{
	is_good = true;
	check_programs();
	check_certificate(with_warnings);
	check_shaping();
	check_alerts();
	check_users();
	check_delivery();
	check_bounces();
	return is_good;
}
