#include <stdio.h>
#include <time.h>

#include "bouncer.h"
#include "clock.h"

const char *
date_print(uint64_t wall_us, char *dst)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)(wall_us / US_PER_S);
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)snprintf(dst, DATE_SIZE,
	    "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000",
	    &days[tm.tm_wday % 7 * 3], tm.tm_mday % 32,
	    &months[tm.tm_mon % 12 * 3], (tm.tm_year + 1900) % 10000,
	    tm.tm_hour % 24, tm.tm_min % 60, tm.tm_sec % 61);
	return dst;
}
