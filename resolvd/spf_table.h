/*
 * The answers that libspf2 may see, and what it made of them. The table is
 * filled by resolvd and read in the cage; the outcome goes the other way,
 * where its sender is not trusted any more.
 */
#ifndef RESOLVD_SPF_TABLE_H
#define RESOLVD_SPF_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ask.h"
#include "attr.h"
#include "buf.h"
#include "domain.h"
#include "plan.h"
#include "str.h"

/* Longest SPF record, bytes; RFC 7208 section 3.4 asks for 450. */
#define SPF_RECORD_MAX 2048

/* Records of one answer; RFC 7208 section 4.6.4 allows 10 hosts. */
#define SPF_RECORDS_MAX 32

struct spf_entry {
	char name[DOMAIN_NAME_MAX + 1];
	uint16_t type; /* enum packet_type */
	enum answer_status status;
	unsigned n;
	struct str records[SPF_RECORDS_MAX]; /* A and AAAA as on the wire */
	char *data;
};

struct spf_table {
	struct spf_entry **entries;
	unsigned n;
};

/*
 * Adds an answer. Of TXT only SPF records are kept, without their exp=
 * modifiers (the explanation is where libspf2 has its known overflow) and
 * without those above SPF_RECORD_MAX.
 */
void spf_table_add(struct spf_table *t, const char *name, uint16_t type,
    const struct answer *a);
/* The answer, or NULL. Case does not matter, nor a final dot. */
const struct spf_entry *spf_table_find(
    const struct spf_table *t, const char *name, uint16_t type);
void spf_table_fini(struct spf_table *t);

/*
 * Does a record use a macro that cuts labels, as %{d2}? libspf2 gets it wrong
 * for short names.
 */
bool spf_table_cuts_labels(const struct spf_table *t);

/* Is it an SPF record (RFC 7208 section 4.5)? */
bool spf_is_record(struct str txt);

enum spf_verdict {
	SPF_QUESTION, /* not yet: an answer is missing */
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_NEUTRAL,
	SPF_NONE,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

struct spf_outcome {
	enum spf_verdict verdict;
	uint16_t type; /* of the question */
	char name[DOMAIN_NAME_MAX + 1];
	char text[128]; /* of libspf2, with an error */
};

void spf_outcome_put(const struct spf_outcome *o, struct buf *out);
/* Returns 0; -EBADMSG, and *out is untouched. */
int spf_outcome_take(struct str in, struct spf_outcome *out) MUST_CHECK;

/* "pass", "softfail" ... */
const char *spf_verdict_name(enum spf_verdict v);

#endif
