/*
 * What can be wrong with an installation before anything is started.
 */
#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H

#include <stdbool.h>

/*
 * Looks at what the configuration names: programs, certificate and key,
 * directories, users. Each mistake is one line on standard error; warnings are
 * printed only when asked for. Returns whether the suite can start.
 */
bool check_installation(bool with_warnings);

#endif
