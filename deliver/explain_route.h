/*
 * explain.route: which hosts would be tried, and how secure each connection
 * would have to be. For pbexplain(1).
 */
#ifndef DELIVER_EXPLAIN_ROUTE_H
#define DELIVER_EXPLAIN_ROUTE_H

struct tool;

/* Serves a tool's command. */
void explain_serve(struct tool *t);

/* Nothing more will be answered: the process ends. */
void explain_fini(void);

#endif
