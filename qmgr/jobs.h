/*
 * Jobs that are out with deliver processes, by the number they have there.
 */
#ifndef QMGR_JOBS_H
#define QMGR_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "uuid.h"

#define JOBS_MAX 65536u

struct job {
	uint64_t id;   /* on the wire */
	uint64_t core; /* in the core */
	struct uuid msgid;
	uint64_t accept_lsn;
	uint32_t msg;
	uint32_t account;
	uint32_t subaccount;
	uint32_t path;
	uint64_t segid;
	uint64_t big; /* number of its big file; 0: none */
	uint64_t sent_us;
	uint32_t left; /* recipients without a result */
	uint8_t deliver;
	bool has_files; /* files_to_deliver was called for it */
	bool is_known;	/* deliver's new channel has named it */
	bool is_used;
	uint32_t next_free;
};

struct jobs;

/*
 * start_us: time since 1970; with it a number is never used by two runs.
 */
struct jobs *jobs_new(uint64_t start_us);
void jobs_free(struct jobs **j);

bool jobs_is_full(const struct jobs *j);
uint32_t jobs_count(const struct jobs *j);

/* A fresh, zeroed one with a number; there must be room. */
struct job *jobs_add(struct jobs *j);
/* The same with a number of the run before. */
struct job *jobs_adopt(struct jobs *j, uint64_t id);
/* NULL: there is none. */
struct job *jobs_find(const struct jobs *j, uint64_t id);
void jobs_drop(struct jobs *j, struct job *job);
/* All; *at begins with 0. The one found last may be dropped meanwhile. */
struct job *jobs_next(const struct jobs *j, uint32_t *at);

#endif
