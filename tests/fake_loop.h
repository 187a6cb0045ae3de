/*
 * The loop and the clock of tests: the same symbols as lib/loop.c and
 * lib/clock.c. Descriptors are real (socketpairs), time is not: when nothing is
 * ready, the clock jumps to the next timer.
 */
#ifndef TESTS_FAKE_LOOP_H
#define TESTS_FAKE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Both clocks begin here: 2026-01-01 00:00:00 UTC. */
#define FAKE_START_US 1767225600000000ULL

/*
 * One turn: what is ready now, deferred work, timers that are due. Returns
 * whether anything happened. The clock does not move.
 */
bool fake_loop_turn(void);

/* Turns until nothing happens any more and no helper thread works; the clock
 * does not move. What children say is waited for shortly. */
void fake_loop_settle(void);

/* Lets so much time pass, stopping at each timer on the way. */
void fake_loop_pass(uint64_t us);

#endif
