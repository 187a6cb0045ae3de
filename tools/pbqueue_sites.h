/*
 * pbqueue(1): sites, suspend, resume, limit.
 */
#ifndef TOOLS_PBQUEUE_SITES_H
#define TOOLS_PBQUEUE_SITES_H

#include <stdbool.h>

/* Whether the verb is one of these. */
bool pbqueue_is_sites(const char *verb);
/* Runs it; returns the exit status. */
int pbqueue_sites(int argc, char **argv);

#endif
