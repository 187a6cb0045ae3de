/*
 * domain.add, and what it shares with the other commands of domains.
 */
#ifndef ACCOUNTD_DOMAIN_ADD_H
#define ACCOUNTD_DOMAIN_ADD_H

#include "commands.h"

void domain_add(struct tool *t);

/* A domain with its records, for a line. */
json_t *domain_json(const struct domain *d);

/* The argument "domain" in A-labels and lower case; false: the tool has been
 * told. */
bool domain_name_arg(struct tool *t, char *name, size_t size) MUST_CHECK;

/* The domain that the arguments "account" and "domain" name; NULL: the tool
 * has been told. */
const struct domain *domain_arg(struct tool *t);

#endif
