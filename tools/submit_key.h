/* The key that sendmail(1) logs in with, in the form that pbkey add prints. */
#ifndef TOOLS_SUBMIT_KEY_H
#define TOOLS_SUBMIT_KEY_H

#include <stdbool.h>

#include "buf.h"

struct submit_key {
	char username[256];
	char password[256];
};

/*
 * Reads sendmail_key_file. Returns false when that is not set; ends the
 * program with one line when the file cannot be read (77) or holds no key (78).
 */
bool submit_key_load(struct submit_key *k);

/* Appends the line of AUTH PLAIN with it (RFC 4616). */
void submit_key_plain(const struct submit_key *k, struct buf *line);

#endif
