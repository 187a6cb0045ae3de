#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "domain.h"
#include "file.h"

#define RSA_BITS 2048
#define RSA_BITS_MIN 1024

#define NAME_MAX_LEN (DOMAIN_LABEL_MAX + sizeof(".key"))
#define TMP_MAX_LEN (DOMAIN_LABEL_MAX + 32)

/* The names become parts of a path: no slash, no dot at the front. */
static int
check_names(const char *domain, const char *selector)
{
	size_t n = strlen(selector);

	if (n == 0 || n > DOMAIN_LABEL_MAX ||
	    !domain_is_valid(selector, n, 0) || strchr(selector, '.') ||
	    !domain_is_valid(domain, strlen(domain), DOMAIN_UNDERSCORE)) {
		return -EINVAL;
	}
	return 0;
}

static int
open_directory(int dir, const char *domain)
{
	int fd = openat(
	    dir, domain, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The same, made and durable if it did not exist. */
static int
make_directory(int dir, const char *domain)
{
	autoclose int up = -1;

	if (mkdirat(dir, domain, 0700) < 0) {
		return errno == EEXIST ? open_directory(dir, domain) : -errno;
	}
	up = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up < 0 || fsync(up) < 0) {
		return -errno;
	}
	return open_directory(dir, domain);
}

static int
read_all(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, KEYFILE_MAX + 1),
		    KEYFILE_MAX + 1 - out->len);

		if (n < 0) {
			return -errno;
		}
		if (n == 0) {
			return 0;
		}
		out->len += (size_t)n;
		if (out->len > KEYFILE_MAX) {
			return -EFBIG;
		}
	}
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL) {
		explicit_bzero(b->p, b->cap);
	}
	buf_fini(b);
}

/* Never asks anyone for a pass phrase: an encrypted key is a damaged one. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int
parse_key(const struct buf *pem, EVP_PKEY **out)
{
	BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->len);
	EVP_PKEY *key = NULL;

	if (bio == NULL) {
		return -ENOMEM;
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL) {
		return -EBADMSG;
	}
	*out = key;
	return 0;
}

static int
load_from(int dir, const char *selector, EVP_PKEY **out, struct buf *pem)
{
	autoclose int fd = -1;
	struct buf text = { 0 };
	char name[NAME_MAX_LEN];
	int r;

	snprintf(name, sizeof(name), "%s.key", selector);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	r = read_all(fd, &text);
	if (r == 0) {
		r = parse_key(&text, out);
	}
	if (r == 0 && pem != NULL) {
		buf_u8(&text, 0);
		buf_move(pem, &text);
	}
	wipe(&text);
	return r;
}

int
keyfile_load(int dir, const char *domain, const char *selector, EVP_PKEY **out,
    struct buf *pem)
{
	autoclose int at = -1;
	int r = check_names(domain, selector);

	if (r < 0) {
		return r;
	}
	at = open_directory(dir, domain);
	return at < 0 ? at : load_from(at, selector, out, pem);
}

static EVP_PKEY *
generate(enum dkim_algorithm algorithm)
{
	switch (algorithm) {
	case DKIM_RSA_SHA256:
		return EVP_RSA_gen(RSA_BITS);
	case DKIM_ED25519_SHA256:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
	return NULL;
}

/* A whole file or none: readers and crashes never see a part of it. */
static int
write_file(int dir, const char *selector, const char *text, size_t len)
{
	autoclose int fd = -1;
	char tmp[TMP_MAX_LEN];
	char name[NAME_MAX_LEN];
	int r;

	snprintf(tmp, sizeof(tmp), ".%s.tmp", selector);
	snprintf(name, sizeof(name), "%s.key", selector);
	(void)unlinkat(dir, tmp, 0); /* left by a crash */
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	r = file_write(fd, text, len);
	if (r == 0 && fsync(fd) < 0) {
		r = -errno;
	}
	if (r == 0 && renameat(dir, tmp, dir, name) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(dir, tmp, 0); /* the error is reported */
		return r;
	}
	return fsync(dir) < 0 ? -errno : 0;
}

static int
store_key(int dir, const char *selector, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
	char *text;
	long n;
	int r = -EIO;

	if (bio == NULL) {
		return -ENOMEM;
	}
	if (PEM_write_bio_PKCS8PrivateKey(
		bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0) {
		r = write_file(dir, selector, text, (size_t)n);
	}
	BIO_free(bio);
	return r;
}

int
keyfile_make(int dir, const char *domain, const char *selector,
    enum dkim_algorithm algorithm, EVP_PKEY **out)
{
	autoclose int at = -1;
	enum dkim_algorithm found;
	EVP_PKEY *key = NULL;
	int r = check_names(domain, selector);

	if (r < 0) {
		return r;
	}
	at = make_directory(dir, domain);
	if (at < 0) {
		return at;
	}
	r = load_from(at, selector, &key, NULL);
	if (r == -ENOENT) {
		key = generate(algorithm);
		r = key == NULL ? -EIO : store_key(at, selector, key);
	}
	if (r == 0 &&
	    (keyfile_algorithm(key, &found) < 0 || found != algorithm)) {
		r = -EINVAL;
	}
	if (r < 0) {
		EVP_PKEY_free(key);
		return r;
	}
	*out = key;
	return 0;
}

int
keyfile_delete(int dir, const char *domain, const char *selector)
{
	autoclose int at = -1;
	char name[NAME_MAX_LEN];
	int r = check_names(domain, selector);

	if (r < 0) {
		return r;
	}
	at = open_directory(dir, domain);
	if (at < 0) {
		return at == -ENOENT ? 0 : at;
	}
	snprintf(name, sizeof(name), "%s.key", selector);
	if (unlinkat(at, name, 0) < 0 && errno != ENOENT) {
		return -errno;
	}
	if (fsync(at) < 0) {
		return -errno;
	}
	(void)unlinkat(dir, domain, AT_REMOVEDIR); /* fails unless empty */
	return 0;
}

int
keyfile_algorithm(const EVP_PKEY *key, enum dkim_algorithm *out)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
			return -EINVAL;
		}
		*out = DKIM_RSA_SHA256;
		return 0;
	case EVP_PKEY_ED25519:
		*out = DKIM_ED25519_SHA256;
		return 0;
	default:
		return -EINVAL;
	}
}

/* RFC 6376 3.6.1 wants a SubjectPublicKeyInfo, RFC 8463 4 the bare key. */
static int
public_bytes(const EVP_PKEY *key, enum dkim_algorithm alg, unsigned char **out)
{
	size_t n = 32;

	if (alg == DKIM_RSA_SHA256) {
		int len = i2d_PUBKEY(key, out);

		return len > 0 ? len : -EIO;
	}
	*out = OPENSSL_malloc(n);
	if (*out == NULL || EVP_PKEY_get_raw_public_key(key, *out, &n) != 1) {
		return -EIO;
	}
	return (int)n;
}

int
keyfile_record(const EVP_PKEY *key, char *record)
{
	unsigned char *der = NULL;
	enum dkim_algorithm alg;
	int r = keyfile_algorithm(key, &alg);
	int n;

	if (r < 0) {
		return r;
	}
	n = public_bytes(key, alg, &der);
	if (n > 0 && n < KEYFILE_RECORD_MAX / 4 * 3 - 32) {
		int at =
		    snprintf(record, KEYFILE_RECORD_MAX, "v=DKIM1; k=%s; p=",
			alg == DKIM_RSA_SHA256 ? "rsa" : "ed25519");

		(void)EVP_EncodeBlock((unsigned char *)record + at, der, n);
	} else {
		r = -EIO;
	}
	OPENSSL_free(der);
	return r;
}
