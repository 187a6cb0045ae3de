/*
 * The administrator's word about how secure connections to a destination must
 * be: the file that smtp_tls_policy names. Lines of a name and a level; '#'
 * begins a comment.
 */
#ifndef DELIVER_TLS_TABLE_H
#define DELIVER_TLS_TABLE_H

#include "attr.h"
#include "buf.h"
#include "str.h"

/* Reads the file, if there is one to read, before the process is confined.
 * Ends the process on a mistake in it. */
void tls_table_init(void);
void tls_table_fini(void);

/*
 * Takes over what the text says. Returns 0, or -EINVAL and what is wrong in
 * which line; then nothing has changed.
 */
int tls_table_parse(struct str text, struct buf *error) MUST_CHECK;

/*
 * The level for a destination; empty when no line is about it. What is found
 * first decides: the next hop as it is, without its port, ".parent" for each
 * domain above it, the site.
 */
struct str tls_table_find(struct str next_hop, struct str site);

#endif
