/*
 * Survivors: the few live messages of old segments are copied to a segment of
 * qmgr's own, so that deferred mail does not pin gigabytes of dead mail.
 */
#ifndef QMGR_RELOCATE_H
#define QMGR_RELOCATE_H

#include <stdbool.h>
#include <stdint.h>

struct qmgr;

void relocate_init(struct qmgr *q);
void relocate_fini(struct qmgr *q);

/* The file that q->ask_file asked for: taken. status: 0 or errno. */
void relocate_file(struct qmgr *q, uint32_t status, int fd, uint64_t segid);

#endif
