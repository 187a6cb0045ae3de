/*
 * What commands tell and ask about alerts.
 */
#ifndef ACCOUNTD_CMD_ALERT_H
#define ACCOUNTD_CMD_ALERT_H

#include <stdbool.h>

#include "buf.h"
#include "model.h"
#include "tool.h"

/* account.alerts: the rules of an account, where each comes from, its state. */
void account_alerts(struct tool *t);

/* What alerts about an account's contact depend on. */
struct alert_before {
	struct buf contact;
	bool is_watched;
};

/* Before the account's settings change; the caller frees before->contact. */
void alert_remember(const struct account *a, struct alert_before *before);

/* Afterwards: raises one alert if the alerts go to another contact now, or
 * none is told of that any more. */
void alert_compare(const struct account *a, const struct alert_before *before);

#endif
