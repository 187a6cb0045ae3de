/*
 * The content of a message on its way to a server: verified as a whole before
 * its first byte goes out, then handed to a stream. Small ones are read once
 * and sent from memory; big ones are read in pieces, twice.
 */
#ifndef DELIVER_CONTENT_H
#define DELIVER_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "stream.h"

struct content;
struct job;

/* A big content has been verified (0) or is bad (-EBADMSG, -errno); or
 * content_resume was asked for. Called from the loop, never from within. */
typedef void content_fn(void *arg, int status);

/*
 * Reads and verifies. Returns 0: *out is ready; -EINPROGRESS: *out is ready
 * when fn has been called; -ENOENT: the file is not at hand; -EBADMSG or
 * -ENODATA: damaged; -errno.
 */
int content_open(const struct job *j, content_fn *fn, void *arg,
    struct content **out) MUST_CHECK;

/*
 * Queues what the stream should have now, up to the end of the final dot's
 * line. Returns 1 when all is queued; 0: call again when output has drained,
 * or on the next turn; -EBADMSG, -errno: the bytes have changed since they
 * were verified, so the dot must not be sent.
 */
int content_send(struct content *c, struct stream *s) MUST_CHECK;

/* Calls fn with 0 in the next turn of the loop. */
void content_resume(struct content *c);

/* Bytes queued so far, without the dot. */
uint64_t content_sent(const struct content *c);

/* What the stream still holds stays until it is sent. */
void content_close(struct content **c);

#endif
