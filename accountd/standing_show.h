/*
 * Statistics, reputation and quota of an account, for the tools.
 */
#ifndef ACCOUNTD_STANDING_SHOW_H
#define ACCOUNTD_STANDING_SHOW_H

#include <jansson.h>

#include "model.h"
#include "tool.h"

/* Adds "statistics", "reputation", "quota_by" and "alerts" to the object. */
void standing_add_json(const struct account *a, json_t *line);

/* One line of output for each line of the ledger, then the sum. */
void standing_explain(struct tool *t, const struct account *a);

#endif
