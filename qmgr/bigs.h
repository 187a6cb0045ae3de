/*
 * Big files that are open because jobs use them.
 */
#ifndef QMGR_BIGS_H
#define QMGR_BIGS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

struct peer;

struct big {
	uint64_t number;
	int fd;
	uint32_t jobs;
	uint64_t delivers; /* bit per deliver process that holds it */
	bool is_with_bouncer;
};

struct bigs;
struct bigs *bigs_new(void);
void bigs_free(struct bigs **b);

/* Opens it for one more job. Returns 0 or -errno. */
int bigs_use(struct bigs *b, uint64_t number, struct big **out) MUST_CHECK;
struct big *bigs_find(const struct bigs *b, uint64_t number);
/* A job is over; true: it was the last one, tell who holds the file and call
 * bigs_close. */
bool bigs_unuse(struct big *g);
void bigs_close(struct bigs *b, struct big *g);
/* A process that held files is gone. */
void bigs_forget_deliver(struct bigs *b, unsigned index);
void bigs_forget_bouncer(struct bigs *b);

#endif
