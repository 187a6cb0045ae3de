/*
 * One end of a channel to another process (SOCK_SEQPACKET). Messages sent in
 * one turn of the loop leave in one packet. A malformed or forbidden message
 * disconnects its sender and nothing else.
 */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "ipc.h"

struct peer;

/*
 * Handles one message. m points to the message's struct (struct ipc_NAME),
 * valid until the handler returns. It may call peer_take_fd.
 */
typedef void peer_fn(struct peer *p, uint32_t id, const void *m);

struct peer_handler {
	enum ipc_type type;
	peer_fn *fn;
};

struct peer_config {
	enum role self;
	enum role role;			     /* who is at the other end */
	uint32_t index;			     /* which of several */
	const struct peer_handler *handlers; /* ends with a NULL fn */
	/* The other end is gone or misbehaved: error is NULL or says how.
	 * The peer is freed after this returns. */
	void (*down)(struct peer *p, const char *error);
	/* What had to wait is sent. May be NULL. */
	void (*drained)(struct peer *p);
	void *arg; /* for peer_arg */
};

/* Takes fd. Never NULL. */
struct peer *peer_new(int fd, const struct peer_config *c);

/* Sends what is collected, closes, forgets; no down callback. */
void peer_free(struct peer **p);

/* Closes when everything is sent; no callback any more. */
void peer_finish(struct peer **p);

enum role peer_role(const struct peer *p);
uint32_t peer_index(const struct peer *p);
void *peer_arg(const struct peer *p);
void peer_set_arg(struct peer *p, void *arg);

/*
 * Sends a message. Returns 0; -EMSGSIZE: a field is too long; -EPIPE: the
 * other end is gone; -ENOBUFS: it does not read, and its queue is full
 * (PEER_QUEUE_MAX bytes): it is disconnected soon.
 */
int peer_send(struct peer *p, enum ipc_type type, uint32_t id, const void *m);
#define PEER_QUEUE_MAX (64u * 1024 * 1024)

/* The same with a descriptor, which stays the caller's. */
int peer_send_fd(
    struct peer *p, enum ipc_type type, uint32_t id, const void *m, int fd);

/* In a handler: the descriptor that came with this message, or -1. The
 * caller owns it then; one that is not taken is closed. */
int peer_take_fd(struct peer *p);

/* Bytes waiting to be sent. */
size_t peer_queued(const struct peer *p);

/* Sends now, what the end of the turn would send. */
void peer_flush(struct peer *p);

/*
 * Requests with an answer. fn gets the reply, or NULL when the deadline
 * passed or the channel closed; it is called exactly once, never from within
 * peer_call. Handlers of the replies need not be in the table.
 */
typedef void peer_reply_fn(void *arg, enum ipc_type type, const void *m);

/* Returns 0, or as peer_send (fn is not called then); p may be NULL: -EPIPE.
 * *call (may be NULL) names the request until fn is called. */
int peer_call(struct peer *p, enum ipc_type type, const void *m, int fd,
    uint64_t timeout_us, peer_reply_fn *fn, void *arg,
    uint32_t *call) MUST_CHECK;

/* Forgets a request; fn will not be called. call 0 is allowed. */
void peer_call_cancel(struct peer *p, uint32_t call);

#endif
