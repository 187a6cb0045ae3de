/*
 * libunbound's context as packetboat.cf wants it.
 */
#ifndef RESOLVD_ASK_CONFIG_H
#define RESOLVD_ASK_CONFIG_H

#include "attr.h"
#include "buf.h"
#include "domain.h"
#include "str.h"

struct ub_ctx;

/*
 * A context on the loop, ready for ub_resolve_event: everything that needs a
 * file has been read. Ends the process on a mistake in the configuration.
 * anchor is the name of the first trust anchor ("." for the root), or empty.
 */
struct ub_ctx *ask_config_open(char anchor[DOMAIN_NAME_MAX + 1]);

/*
 * The name servers in the text of a resolv.conf(5), one address a line;
 * scoped addresses are left out.
 */
void ask_config_servers(struct str text, struct buf *out);

#endif
