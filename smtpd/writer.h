/*
 * This process's segments: the log writer, the files it needs, and the
 * doorbell to qmgr.
 */
#ifndef SMTPD_WRITER_H
#define SMTPD_WRITER_H

#include <stdbool.h>

#include "attr.h"
#include "peer.h"

struct plog_writer;

/* Once, when there is a channel to master. */
void writer_start(void);
/* Waits for what is being written. */
void writer_stop(void);

struct plog_writer *writer_log(void);

/* A file is on its way from master. */
bool writer_is_waiting(void);

/* A new qmgr: how far each segment is durable. */
void writer_tell(struct peer *qmgr);

#endif
