/*
 * account.delete and domain.delete. Private keys go first, while it is known
 * which they are; so a deletion that fails on the way can be given again.
 */
#ifndef ACCOUNTD_DELETION_H
#define ACCOUNTD_DELETION_H

#include "tool.h"

void account_delete(struct tool *t);
void domain_delete(struct tool *t);

#endif
