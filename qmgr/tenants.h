/*
 * Names of tenants, for tools.
 */
#ifndef QMGR_TENANTS_H
#define QMGR_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct qmgr;

/* By NAME or NAME/SUB. False: no such tenant. */
bool tenants_find(const struct qmgr *q, struct str name, uint32_t *account,
    uint32_t *subaccount);
/* "" when it is not known. */
const char *tenants_name(
    const struct qmgr *q, uint32_t account, uint32_t subaccount);

/* How long messages of the tenant are kept, from their acceptance; 0: until
 * they are finished. */
uint32_t tenants_keep_s(
    const struct qmgr *q, uint32_t account, uint32_t subaccount);

/* The next tenant whose messages are kept; *at begins with 0. False at the
 * end. */
bool tenants_next_kept(const struct qmgr *q, size_t *at, uint32_t *account,
    uint32_t *subaccount, uint32_t *keep_s);

#endif
