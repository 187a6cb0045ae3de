/*
 * Fixed next hops: what routes.cf(5) says about domains, relayhost for the
 * rest, and what AUTH each next hop wants. The files are read once, before the
 * reader is confined.
 */
#ifndef LIB_ROUTES_H
#define LIB_ROUTES_H

#include <stdbool.h>

#include "attr.h"
#include "buf.h"
#include "param.h"
#include "str.h"

/* Bytes of a next hop as text, as in ipc.def. */
#define ROUTES_HOP_MAX 300
/* Bytes of a user's name and of a password, as in ipc.def. */
#define ROUTES_USER_MAX 255
#define ROUTES_PASSWORD_MAX 255

enum routes_kind {
	ROUTES_OWN,   /* the domain's own mail servers */
	ROUTES_HOP,   /* this next hop */
	ROUTES_ERROR, /* nothing is sent there */
};

/* What is to be done with the mail of a domain. */
struct routes_entry {
	enum routes_kind kind;
	char *hop;	/* "[host]:port", "host" by MX; lower case; "". TLS
			 * from the first byte: "smtps:" before it */
	bool is_by_mx;	/* the hop is found like a recipient's domain */
	char *tls;	/* a level of smtp_tls_policy; "": none is named */
	char *user;	/* "": no AUTH */
	char *password; /* wiped by routes_free */
	char *enh;	/* of an error, such as "5.7.1" */
	char *text;	/* of an error */
	unsigned line;	/* in routes.cf; 0: relayhost */
};

struct routes;

/*
 * Reads DIR/routes.cf, if it is there, relayhost, and the file that
 * smtp_sasl_password_maps names. Returns 0, or -errno (-EINVAL for a mistake
 * in a file) with one line for the administrator in *error: file, line, what,
 * what to do. routes_free frees *out; NULL is allowed there.
 */
int routes_load(
    const struct conf *c, struct routes **out, struct buf *error) MUST_CHECK;
void routes_free(struct routes **r);

/* The same, only to hear of mistakes. */
int routes_check(const struct conf *c, struct buf *error) MUST_CHECK;

/*
 * The entry of a domain (A-labels in lower case) or address literal: its own
 * line, else that of the nearest ".parent", else that of "*", else relayhost.
 * NULL: nothing is said about it. r may be NULL: nothing is said at all.
 */
const struct routes_entry *routes_find(
    const struct routes *r, struct str domain);

/* relayhost's entry, or NULL. */
const struct routes_entry *routes_relayhost(const struct routes *r);

/* Whether routes.cf has a line. */
bool routes_has_lines(const struct routes *r);

/* ---- for routes_load and tests ------------------------------------------ */

struct routes *routes_new(void);

/*
 * Adds what the text of a routes.cf says. file: its name in *error. Returns 0
 * or -EINVAL with a line in *error; what was read before stays.
 */
int routes_parse(struct routes *r, struct str text, const char *file,
    struct buf *error) MUST_CHECK;

/* Sets relayhost. Returns 0 or -EINVAL when it is no next hop. */
int routes_set_relayhost(struct routes *r, struct str hop) MUST_CHECK;

/*
 * Gives entries their user and password from the text of a password file:
 * lines of a next hop, as it is written in routes.cf or relayhost or its host
 * alone, and user:password. The rest as routes_parse; also -EINVAL when
 * an entry with AUTH may go without TLS.
 */
int routes_parse_passwords(struct routes *r, struct str text, const char *file,
    struct buf *error) MUST_CHECK;

#endif
