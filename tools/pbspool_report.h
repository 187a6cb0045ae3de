/*
 * What a check says: one line for each file, what is wrong or noteworthy
 * about it behind that, or the same as a JSON object for each file.
 */
#ifndef TOOLS_PBSPOOL_REPORT_H
#define TOOLS_PBSPOOL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

struct pbspool_report {
	bool is_json;
	bool is_silent; /* only counts */
	uint64_t files;
	uint64_t damages;
	uint64_t torn;
	json_t *file; /* begun; NULL: none */
	json_t *damage;
	json_t *notes;
};

/* Begins what is said about one thing: kind "segment" ..., name its path. */
void pbspool_report_begin(
    struct pbspool_report *r, const char *kind, const char *name);
/* Prints it. */
void pbspool_report_end(struct pbspool_report *r);

/* A number about the thing begun last. */
void pbspool_report_num(struct pbspool_report *r, const char *name, uint64_t n);
/* An alarm: acknowledged bytes are gone. len 0: no range. */
void pbspool_report_damage(struct pbspool_report *r, uint64_t off, uint64_t len,
    const char *fmt, ...) PRINTF(4, 5);
/* What is normal, and good to know. */
void pbspool_report_note(struct pbspool_report *r, const char *fmt, ...)
    PRINTF(2, 3);

#endif
