#include "attr.h"

#include <stdio.h>

void
attr_bug(const char *what, const char *file, int line)
{
	fprintf(stderr, "panic: %s:%d: %s\n", file, line, what);
	abort();
}
