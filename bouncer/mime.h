/*
 * The parts of a message that matter to a reader of reports, decoded. A thin
 * layer over GMime, which takes the message apart.
 *
 * Charsets are left alone: what tells a failure is ASCII nearly always, and
 * the converters of the C library would be one more parser of foreign bytes
 * that loads code at run time.
 */
#ifndef BOUNCER_MIME_H
#define BOUNCER_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* Parts beyond these are not looked at. */
#define MIME_PARTS_MAX 32
#define MIME_DEPTH_MAX 16

enum mime_type {
	MIME_TEXT,
	MIME_HTML,
	MIME_STATUS,	  /* message/delivery-status and the like */
	MIME_FEEDBACK,	  /* message/feedback-report */
	MIME_DISPOSITION, /* message/disposition-notification */
	MIME_ORIGINAL,	  /* header of the message reported about */
};

struct mime_part {
	enum mime_type type;
	struct str text; /* lines end in LF */
};

struct mime {
	struct str header; /* of the message itself, LF lines */
	struct str body;   /* undecoded */
	struct mime_part parts[MIME_PARTS_MAX];
	size_t n_parts;
	bool is_report;	 /* multipart/report as a whole (RFC 6522) */
	struct buf text; /* the message with LF lines */
	struct buf *stores[MIME_PARTS_MAX]; /* what the parts point into */
};

void mime_init(void);
void mime_exit(void);

/* Fills *out, in full; mime_fini frees it. CRLF, LF and CR lines are fine. */
void mime_read(struct str message, struct mime *out);
void mime_fini(struct mime *m);

/* The first part of a type, or NULL. */
const struct mime_part *mime_find(const struct mime *m, enum mime_type type);

#endif
