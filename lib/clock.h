/*
 * The time. Everything that waits uses clock_mono_us; everything that is
 * shown or stored uses clock_wall_us. Both are read once per turn of the
 * loop; tests link a clock of their own that jumps.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

#define US_PER_S 1000000ULL
#define US_PER_MS 1000ULL

/* Microseconds of the monotonic clock, as of this turn of the loop. */
uint64_t clock_mono_us(void);

/* Microseconds since 1970-01-01 UTC, as of this turn of the loop. */
uint64_t clock_wall_us(void);

/* Reads both clocks anew; called by the loop at every turn. */
void clock_update(void);

#endif
