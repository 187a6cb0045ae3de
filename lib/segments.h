/*
 * The segments that a process writes mail to (packetboat-spool(5)): asked for
 * from master, filled through one log writer, and told to qmgr. There is one
 * set in a process; smtpd and bouncer have one each.
 */
#ifndef LIB_SEGMENTS_H
#define LIB_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "peer.h"

struct plog_writer;

struct segments_config {
	uint64_t file_size;  /* of a segment, bytes */
	uint64_t timeout_us; /* how long master may take to make one */
	/* As in struct plog_config; 0 and NULL: nobody is waited for. */
	uint32_t wait_us;
	unsigned (*expected)(void *arg);
	/* A segment has arrived (0), or none is to be had now (-EIO): it is
	 * asked for again by itself. */
	void (*arrived)(int status);
};

/* Once, when there is a channel to master. Asks for nothing yet. */
void segments_start(const struct segments_config *c);

/* Waits for what is being written; the rest hears -ECANCELED. */
void segments_stop(void);

/* Where records are appended; there between start and stop. */
struct plog_writer *segments_log(void);

/* A segment is on its way from master. */
bool segments_is_waiting(void);

/* A new qmgr: how far each segment is durable. Otherwise it is told of what
 * has grown at the end of each turn. */
void segments_tell(struct peer *qmgr);

#endif
