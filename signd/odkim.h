/*
 * libopendkim: the second signer, and the verifier of what the first one
 * makes. Its calls may run in several threads at a time. Never asks the DNS.
 */
#ifndef SIGND_ODKIM_H
#define SIGND_ODKIM_H

#include <sys/types.h>

#include "attr.h"
#include "buf.h"

/* A message, header and body: in memory, or in a file when fd >= 0. */
struct odkim_message {
	struct str text;
	int fd;
};

/* Largest header read from a file, bytes. */
#define ODKIM_HEADER_MAX (128 * 1024)

/* Once, before the sandbox. 0 or -ENOMEM. */
int odkim_init(void) MUST_CHECK;
void odkim_fini(void);

/*
 * Verifies the signature in field (a whole DKIM-Signature field) over the
 * message, with record as the TXT of its key. Other signatures in the message
 * are not looked at. Returns 0; -EKEYREJECTED when it does not verify, with
 * the library's word in why (80 bytes); -ENOMEM; -EMSGSIZE; -errno of reading.
 */
int odkim_verify(struct str field, const struct odkim_message *m,
    const char *record, char *why) MUST_CHECK;

/*
 * Signs with an RSA key (pem: NUL-terminated) and appends the field with its
 * CRLF. Ed25519 is not offered: the library leaks the key at each signature.
 * Returns 0; -EIO when the library fails; -ENOMEM; -EMSGSIZE; -errno.
 */
int odkim_sign(const char *domain, const char *selector, const char *pem,
    const struct odkim_message *m, struct buf *field) MUST_CHECK;

#endif
