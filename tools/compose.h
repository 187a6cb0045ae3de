/*
 * What sendmail(1) makes of the text on its standard input before it is
 * submitted: wire line ends, whole addresses, no Bcc, a From field.
 */
#ifndef TOOLS_COMPOSE_H
#define TOOLS_COMPOSE_H

#include <stdbool.h>
#include <stdio.h>

#include "buf.h"

/* Addresses, each a string of its own. */
struct compose_list {
	struct str *all;
	size_t n;
};

/* Adds a copy of an address; without a domain it gets "@" and host. */
void compose_list_add(
    struct compose_list *l, struct str address, const char *host);
void compose_list_fini(struct compose_list *l);

/*
 * Reads a message up to the end of in, or to a line with only a dot when
 * ends_at_dot. *out gets it with CRLF line ends; an mbox "From " line in front
 * is left out. Returns 0 or -errno; -EMSGSIZE above limit bytes.
 */
int compose_read(
    FILE *in, bool ends_at_dot, size_t limit, struct buf *out) MUST_CHECK;

/*
 * Makes *out from the message: addresses of From, Sender, Reply-To, To, Cc and
 * Bcc that have no domain get host's; Bcc and Resent-Bcc are left out; without
 * a From field it gets one of from (whole: name and address); the body begins
 * at the first line that is no field.
 *
 * rcpts  not NULL: To, Cc and Bcc are added to it, or, if there are any, only
 *        Resent-To, Resent-Cc and Resent-Bcc (RFC 5322 section 3.6.6)
 *
 * Returns 0, or -EBADMSG with the name of a field whose addresses cannot be
 * read in *bad.
 */
int compose_message(struct str message, const char *host, const char *from,
    struct compose_list *rcpts, struct buf *out, struct str *bad) MUST_CHECK;

#endif
