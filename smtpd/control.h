/*
 * Header fields that are for us: X-Packetboat-*, X-MC-* (Mandrill) and
 * X-CloudMTA-* (CloudMailin), and those that must not leave: Bcc,
 * Return-Path.
 */
#ifndef SMTPD_CONTROL_H
#define SMTPD_CONTROL_H

#include <stdbool.h>

#include "attr.h"
#include "header.h"
#include "tx.h"

/* Must the field be taken out before signing? */
bool control_is_removed(const struct header_field *f);

/*
 * Notes what a removed field asks for. Unknown and unreadable ones are
 * ignored, with a line in the log where mail differs from what was meant.
 * Returns NULL, or the reply when the message must not go out like this.
 */
const char *control_apply(const struct header_field *f, struct tx_wishes *w);

void control_clear(struct tx_wishes *w);

#endif
