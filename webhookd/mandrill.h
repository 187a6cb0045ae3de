/*
 * Events in the form of Mandrill's webhooks, for receivers written for it.
 */
#ifndef WEBHOOKD_MANDRILL_H
#define WEBHOOKD_MANDRILL_H

#include "attr.h"
#include "buf.h"
#include "event_json.h"

/* Mandrill's name of an event's type; NULL when it knows no such event. */
const char *mandrill_kind(unsigned type);

/* The number that Mandrill and SparkPost give a class of reply; 1: unknown. */
unsigned mandrill_bounce_code(struct str class);

/* Appends one element of mandrill_events. The type must have a kind. */
void mandrill_append(struct buf *out, const struct event_view *v);

/* Appends "mandrill_events=" and the text in form encoding. */
void mandrill_form(struct buf *out, struct str events);

#endif
