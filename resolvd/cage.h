/*
 * A cage for code that is not trusted with hostile input: a child that lives
 * for one piece of work. It begins as a copy of this process, closes every
 * descriptor but one end of a pipe, enters a sandbox without any right but
 * those that its task names, works on what it has inherited, writes its
 * result and ends.
 */
#ifndef RESOLVD_CAGE_H
#define RESOLVD_CAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"
#include "buf.h"
#include "loop.h"

/* In the child. What is appended to out is the result; empty is none. */
typedef void cage_work_fn(const void *arg, struct buf *out);

/* In the child, before it is confined: no stranger's byte may be read yet. */
typedef void cage_prepare_fn(void *arg);

struct cage_task {
	cage_prepare_fn *prepare; /* NULL: nothing */
	cage_work_fn *work;
	void *arg;	   /* of both */
	unsigned rights;   /* SANDBOX_* that it keeps */
	uint64_t time_us;  /* after it the child is killed */
	size_t result_max; /* a longer result is none, bytes */
};

/* The result, valid until this returns; empty when the child crashed, was
 * killed or could not be made. */
typedef void cage_done_fn(void *arg, struct str result);

struct cage {
	pid_t pid; /* 0: none */
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	struct loop_defer defer;
	struct buf result;
	size_t result_max;
	cage_done_fn *done;
	void *arg;
};

/*
 * Starts a task in a child; what it points to is read before this returns, or
 * in the child. done(arg) is called once, never from within, unless cage_end
 * comes first. c is zeroed before the first time, and can be used again in
 * done.
 */
void cage_start(struct cage *c, const struct cage_task *task,
    cage_done_fn *done, void *arg);

/* Kills the child if there is one. Any number of times. */
void cage_end(struct cage *c);

#endif
