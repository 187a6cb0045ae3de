#include "store_space.h"

#include <sys/statvfs.h>

#include "log.h"

uint64_t
store_space_free(const char *directory)
{
	struct statvfs v;

	return statvfs(directory, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize
					   : UINT64_MAX;
}

bool
store_space_is_short(struct store_space *s, bool *began)
{
	bool was_short = s->is_short;

	s->is_short =
	    s->min_free > 0 && store_space_free(s->directory) < s->min_free;
	*began = s->is_short && !was_short;
	if (*began) {
		log_warn("the database takes no changes: less than "
			 "database_min_free is free on the file system of "
			 "state_directory; mail goes on");
	} else if (was_short && !s->is_short) {
		log_info("the database takes changes again");
	}
	return s->is_short;
}
