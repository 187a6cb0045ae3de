/*
 * Makes DNS answers for the tests of resolvd, byte by byte.
 */
#ifndef TESTS_RESOLVD_WIRE_H
#define TESTS_RESOLVD_WIRE_H

#include <stdint.h>

#include "ask.h"
#include "buf.h"

struct wire {
	struct buf b;
	char name[256]; /* of the question */
	uint16_t type;
};

/* Begins an answer to a question. */
void wire_begin(struct wire *w, const char *name, uint16_t type, int rcode);
/* Adds a record of any type; rdata as given. */
void wire_rr(struct wire *w, const char *owner, uint16_t type, uint32_t ttl_s,
    const void *rdata, size_t len);
void wire_cname(struct wire *w, const char *owner, const char *target);
void wire_mx(struct wire *w, uint16_t pref, const char *host);
void wire_a(struct wire *w, const char *address); /* or AAAA */
/* One character-string for each; the last argument is NULL. */
void wire_txt(struct wire *w, const char *first, ...);

/* A name in wire form. */
void wire_name(struct buf *b, const char *name);

/* Parses what was made and frees it; the packet must be accepted. */
void wire_answer(struct wire *w, struct answer *out);
/* An answer without data. */
void wire_status(struct answer *out, enum answer_status status);

#endif
