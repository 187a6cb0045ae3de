/*
 * The list of packetboat-replies(7), from lib/reply.def.
 */
#ifndef TOOLS_REPLY_LIST_H
#define TOOLS_REPLY_LIST_H

/* Writes it to standard output. */
void reply_list_put(void);

#endif
