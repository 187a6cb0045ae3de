/*
 * Cyrus SASL as a reader of logins: PLAIN and LOGIN are spoken by the library
 * and end with a name and a password in our hands; whether they are right is
 * accountd's decision alone.
 */
#ifndef SMTPD_LOGIN_H
#define SMTPD_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "str.h"

/* Longest line of a SASL dialogue, bytes (RFC 4954 section 4). */
#define LOGIN_LINE_MAX 12288

struct login;

enum login_result {
	LOGIN_MORE,    /* send the challenge */
	LOGIN_DONE,    /* name and password are there */
	LOGIN_BAD,     /* what the client sent is no such dialogue */
	LOGIN_REFUSED, /* wrong for sure: another's identity, no password */
	LOGIN_UNKNOWN, /* no such mechanism */
};

/*
 * Loads the mechanisms. Before the sandbox. hostname: ours. Returns 0, or
 * -EIO with a text for the administrator in *why.
 */
int login_init(const char *hostname, const char **why) MUST_CHECK;
void login_fini(void);

/*
 * A dialogue by mechanism (any case). first: the decoded initial response;
 * has_first tells an empty one from none. *out is NULL unless MORE or DONE.
 */
enum login_result login_begin(struct login **out, struct str mechanism,
    bool has_first, struct str first) MUST_CHECK;

/* The client's answer to a challenge, decoded. */
enum login_result login_step(struct login *l, struct str response) MUST_CHECK;

/* After MORE: what to send, not encoded; valid until the next call. */
struct str login_challenge(const struct login *l);

/* "PLAIN" or "LOGIN"; static. */
const char *login_mechanism(const struct login *l);

/* After DONE; valid until login_end. */
struct str login_user(const struct login *l);
struct str login_password(const struct login *l);

/* Wipes and frees; sets *l to NULL; NULL allowed. */
void login_end(struct login **l);

#endif
