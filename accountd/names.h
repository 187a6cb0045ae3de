/*
 * Names of accounts: NAME or NAME/SUB.
 */
#ifndef ACCOUNTD_NAMES_H
#define ACCOUNTD_NAMES_H

#include <stdbool.h>

#include "attr.h"
#include "str.h"

#define NAME_LEN_MAX 63

/* A letter or digit, then up to 62 of a-z 0-9 . _ - */
bool name_is_valid(struct str s);

struct name {
	struct str account;
	struct str sub; /* empty: the account itself */
};

/* Parts point into s. Returns 0, or -EINVAL when it is no such name. */
int name_parse(struct str s, struct name *out) MUST_CHECK;

#endif
