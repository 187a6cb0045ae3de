/*
 * The fields that a message gets on its way: Received, Date, Message-ID.
 */
#ifndef SMTPD_TRACE_H
#define SMTPD_TRACE_H

#include "buf.h"
#include "tx.h"

/* Appends the Received field (RFC 5321 section 4.4). id: the message id. */
void trace_received(struct buf *out, const struct tx *tx, const char *id);

/* Appends the fields of a submission that are missing (RFC 6409 section 8). */
void trace_missing(struct buf *out, const struct tx *tx);

#endif
