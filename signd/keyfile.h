/*
 * Private keys on disk: <domain>/<selector>.key below one directory, PEM,
 * mode 0600. A key that exists is never overwritten: what is published in the
 * DNS must stay true. Nothing here writes to the log.
 */
#ifndef SIGND_KEYFILE_H
#define SIGND_KEYFILE_H

#include <openssl/evp.h>

#include "attr.h"
#include "buf.h"
#include "dkim.h"

/* More than any PEM of a key we take (RSA of 4096 bits: 3.3 KB), bytes. */
#define KEYFILE_MAX 8192

/* Bytes of a public record at most, with the NUL. */
#define KEYFILE_RECORD_MAX 1025

/*
 * Makes a key pair and stores it durably, unless the file exists already:
 * then that key is loaded, so that a repeated request changes nothing. dir:
 * an open directory or AT_FDCWD. Takes up to a second: for a thread, but only
 * one at a time, as for keyfile_delete. Returns 0
 * with *out (the caller frees it); -EINVAL for names that are none or a key of
 * another algorithm; -EBADMSG for a damaged file; -errno.
 */
int keyfile_make(int dir, const char *domain, const char *selector,
    enum dkim_algorithm algorithm, EVP_PKEY **out) MUST_CHECK;

/*
 * Loads a key. pem may be NULL; else it gets the file's text with a NUL,
 * which the caller wipes. Returns as keyfile_make; -ENOENT without a file.
 */
int keyfile_load(int dir, const char *domain, const char *selector,
    EVP_PKEY **out, struct buf *pem) MUST_CHECK;

/* Removes a key, and its directory when that was the last one. 0 or -errno;
 * a key that is not there is no error. */
int keyfile_delete(
    int dir, const char *domain, const char *selector) MUST_CHECK;

/* Which algorithm a key is for. -EINVAL for another kind of key, or RSA of
 * less than 1024 bits (RFC 8301). */
int keyfile_algorithm(const EVP_PKEY *key, enum dkim_algorithm *out) MUST_CHECK;

/* Writes the TXT to publish: "v=DKIM1; k=rsa; p=...". Returns 0, -EINVAL or
 * -EIO; record has KEYFILE_RECORD_MAX bytes. */
int keyfile_record(const EVP_PKEY *key, char *record) MUST_CHECK;

#endif
