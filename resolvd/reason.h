/*
 * Texts for people about a name, in Postfix's words where it has them, so
 * that what reads its log reads ours.
 */
#ifndef RESOLVD_REASON_H
#define RESOLVD_REASON_H

#include "ask.h"
#include "attr.h"

/*
 * What an answer without data means: "Host or domain name not found. Name
 * service error for name=example.com type=MX: Host not found". dst has
 * REASON_SIZE bytes.
 */
void reason_of_answer(
    char *dst, const char *name, const char *type, const struct answer *a);

#endif
