/*
 * What commands tell and ask about alerts.
 */
#ifndef ACCOUNTD_CMD_ALERT_H
#define ACCOUNTD_CMD_ALERT_H

#include "model.h"
#include "tool.h"

/* account.alerts: the rules of an account, where each comes from, its state. */
void account_alerts(struct tool *t);

/* Raises an alert if the contact is not the one before any more; it goes to
 * that one, if there was any. */
void alert_contact_changed(uint32_t account, struct str before);

#endif
