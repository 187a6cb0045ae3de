#include "clock.h"

#include <time.h>

static uint64_t mono_us;
static uint64_t wall_us;

static uint64_t
read_us(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t); /* cannot fail for these clocks */
	return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
clock_mono_us(void)
{
	if (mono_us == 0) {
		clock_update();
	}
	return mono_us;
}

uint64_t
clock_wall_us(void)
{
	if (wall_us == 0) {
		clock_update();
	}
	return wall_us;
}

void
clock_update(void)
{
	mono_us = read_us(CLOCK_MONOTONIC);
	wall_us = read_us(CLOCK_REALTIME);
}
