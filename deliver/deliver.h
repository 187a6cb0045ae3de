/*
 * deliver: the SMTP client. qmgr says what goes where (job), deliver how:
 *
 *	deliver.c    messages from qmgr, start, drain
 *	job.c        one message to some of its recipients
 *	route.c      next hop -> hosts and addresses, asked from resolvd
 *	path.c       jobs and connections of one site and source address
 *	session.c    a connection: from the first address tried to QUIT
 *	hello.c      its opening: greeting, EHLO, STARTTLS
 *	client.c     its transactions: MAIL, RCPT, DATA
 *	result.c     what became of each recipient, kept until acknowledged
 *
 * A job is a job of its path until a session takes it; a session ends each
 * job it took by exactly one result for each recipient, or gives it back to
 * the path.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include <stdbool.h>

#include "peer.h"

extern const struct peer_handler deliver_handlers[];

/* Loads what the confined process cannot. */
void deliver_init(void);
void deliver_peer_up(struct peer *p);
/* Gives back what was not begun, and ends when the rest is done. */
void deliver_drain(void);
void deliver_stop(void);

/* No job is taken any more. */
bool deliver_is_draining(void);
/* Called when something that a drain waits for has ended. */
void deliver_progress(void);

#endif
