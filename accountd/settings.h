/*
 * What an account's and a subaccount's settings come to together.
 */
#ifndef ACCOUNTD_SETTINGS_H
#define ACCOUNTD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "schema.h"

struct settings {
	bool is_paused;
	bool unsigned_ok;  /* domains need not be verified */
	bool plain_sender; /* MAIL FROM stays as it is */
	enum mail_class class;
	struct str pool;
	struct str pools;	    /* that messages may name, by commas */
	struct str forward_bounces; /* an address; empty: nowhere */
	uint32_t weight;	    /* 1 to 1000 */
	uint32_t keep_content_s; /* since acceptance; 0: until delivery only */
};

/* How the default pool is called where a name is needed. */
#define POOL_DEFAULT "default"

/* A subaccount's word against its account's address for bounces. */
#define FORWARD_NONE "none"

#define WEIGHT_DEFAULT 100
#define WEIGHT_MAX 1000

/* sub NULL: of the account itself. Strings point into the records. */
void settings_of(const struct schema_account *account,
    const struct schema_account *sub, struct settings *out);

/* May messages of the account name the pool (empty: the default pool)? */
bool settings_allow_pool(const struct settings *s, struct str pool);

/*
 * Sets one setting, as in "pbaccount set NAME name=value". account stays the
 * caller's; value must outlive it. Returns 0, or -EINVAL with one line in
 * *error.
 */
int settings_set(struct schema_account *account, struct str name,
    struct str value, struct buf *error) MUST_CHECK;

#endif
