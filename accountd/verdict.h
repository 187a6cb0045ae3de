/*
 * May this message be sent, and how? A pure function from records to the
 * answer; the look-ups are tx.c's.
 */
#ifndef ACCOUNTD_VERDICT_H
#define ACCOUNTD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "schema.h"

struct verdict_input {
	const struct schema_account *account; /* NULL: deleted meanwhile */
	const struct schema_account *sub;     /* NULL: none */
	const struct schema_key *key;	      /* NULL: no such key */
	bool has_key;			      /* the client gave one */
	struct str sender;		      /* MAIL FROM; empty: null */
	struct str from_domain;		      /* empty: no From */
	struct str header_from;
	struct str want_sub;  /* asked for by header, and */
	bool want_sub_exists; /* sub is that one */
	struct str want_class;
	struct str want_pool; /* asked for by header; empty: none */
	bool want_pool_exists;
	/* The account's domain that contains the From domain and is
	 * verified; NULL: none. from_state is then the state of one that is
	 * not, or -1. */
	const struct schema_domain *from;
	int from_state;
	/* The same for the sender's domain. */
	const struct schema_domain *sender_domain;
	uint64_t now_us;
};

#define VERDICT_TEXT_MAX 512

/* Whose record a refusal is about. */
enum verdict_about {
	VERDICT_ACCOUNT,
	VERDICT_KEY,
	VERDICT_SUBACCOUNT,
	VERDICT_MESSAGE,
	VERDICT_DOMAIN,
	VERDICT_RECIPIENTS,
};

struct verdict {
	uint16_t code; /* 0: go on */
	enum verdict_about about;
	char enh[16];
	char text[VERDICT_TEXT_MAX];
	uint8_t class;
	uint32_t flags; /* TX_* */
	struct str sign_domain;
	bool has_return_domain; /* its bounce name leads here */
	struct str pool;
	bool is_pool_ignored; /* the one asked for may not be used */
};

/*
 * A From domain is right when it is a verified domain of the account or
 * below one: that is what DMARC's relaxed alignment accepts for the
 * signature that follows. Strings point into the records.
 */
void verdict_make(const struct verdict_input *in, struct verdict *out);

#endif
