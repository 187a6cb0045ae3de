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

#endif
