/*
 * Compiler attributes and the few macros that every file may use.
 */
#ifndef LIB_ATTR_H
#define LIB_ATTR_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))

#define array_len(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of the given type whose member is at p. */
#define container_of(p, type, member)                                          \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

static inline void
attr_free(void *p)
{
	free(*(void **)p);
}

static inline void
attr_close(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd); /* nothing is written through these */
	}
}

/* What dies with the scope; initialise at the declaration (NULL, -1). */
#define autofree __attribute__((cleanup(attr_free)))
#define autoclose __attribute__((cleanup(attr_close)))

/*
 * Ends the process when an assumption of ours is broken. Stays on in release
 * builds; never used for input.
 */
#define bug_on(cond)                                                           \
	do {                                                                   \
		if (__builtin_expect(!!(cond), 0)) {                           \
			attr_bug(#cond, __FILE__, __LINE__);                   \
		}                                                              \
	} while (0)

/* Reports the broken assumption to standard error and aborts. */
void attr_bug(const char *what, const char *file, int line) NORETURN;

#endif
