/*
 * Tag lists: "v=DKIM1; k=rsa; p=MIIB..." (RFC 6376 section 3.2), also the form
 * of DMARC records.
 */
#ifndef RESOLVD_TAG_LIST_H
#define RESOLVD_TAG_LIST_H

#include <stdbool.h>

#include "attr.h"
#include "str.h"

/* Tags of one record; more is no honest record. */
#define TAG_LIST_MAX 32

struct tag {
	struct str name;
	struct str value; /* without white space around it */
};

struct tag_list {
	unsigned n;
	struct tag tags[TAG_LIST_MAX];
};

/*
 * Splits text, into which *out points then. Returns 0; -EBADMSG when it is no
 * tag list, a name stands twice, or it has too many tags.
 */
int tag_list_parse(struct str text, struct tag_list *out) MUST_CHECK;

/* The value of a tag; fallback when there is none. */
struct str tag_list_get(
    const struct tag_list *t, const char *name, const char *fallback);
bool tag_list_has(const struct tag_list *t, const char *name);

/* Is word one of the words of value, parted by colons? Case matters not. */
bool tag_value_has(struct str value, const char *word);

#endif
