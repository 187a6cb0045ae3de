/*
 * suppress.change: rows from a tool's standard input are added to the
 * suppressed addresses, or removed from them; a piece of input is a
 * transaction.
 */
#ifndef ACCOUNTD_SUPPRESS_CHANGE_H
#define ACCOUNTD_SUPPRESS_CHANGE_H

#include "tool.h"

void suppress_change(struct tool *t);

#endif
