/*
 * libunbound's context as packetboat.cf wants it.
 */
#ifndef RESOLVD_ASK_CONFIG_H
#define RESOLVD_ASK_CONFIG_H

#include <stdbool.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

struct ub_ctx;

/*
 * A context on the loop, ready for ub_resolve_event: everything that needs a
 * file has been read. Ends the process on a mistake in the configuration.
 */
struct ub_ctx *ask_config_open(bool *has_dnssec);

/*
 * The name servers in the text of a resolv.conf(5), one address a line;
 * scoped addresses are left out.
 */
void ask_config_servers(struct str text, struct buf *out);

#endif
