/*
 * Source addresses and their pools, as qmgr uses them. What the core calls a
 * source is an address as one pool uses it: an address of the default pool
 * serves other pools too, where those have none of their own.
 *
 * A pool sends from its own addresses that are in service. When none is, its
 * mail is deferred with the reason, or (source_pool_fallback) goes over the
 * default pool, as does the mail of a pool without any address. The default
 * pool without any address leaves the choice to the system.
 */
#ifndef QMGR_SOURCES_H
#define QMGR_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "event.h"
#include "ipc.h"
#include "str.h"

struct qmgr;

/* With the default pool and the addresses of inet_interfaces_out. */
void sources_init(struct qmgr *q);
void sources_fini(struct qmgr *q);
/* A new, empty core learns of all. */
void sources_tell_core(struct qmgr *q);

/* accountd names all its addresses between these two; what it has not named
 * is no more. */
void sources_begin(struct qmgr *q);
void sources_end(struct qmgr *q);
void sources_set(struct qmgr *q, const struct ipc_source *m);
void sources_plan(struct qmgr *q, const struct ipc_source_plan *m);

/* Addresses by their own number, which the core calls address. */
struct str sources_address_ip(const struct qmgr *q, uint32_t address);
/* CORE_NONE when the journal never said that it is being warmed up. */
uint32_t sources_warming(const struct qmgr *q, struct str ip);
/* All of these; *at begins with 0. False at the end. */
bool sources_next_warming(const struct qmgr *q, uint32_t *at, struct str *ip);
/* Recovery: it is; CORE_NONE: too many. */
uint32_t sources_make_warming(struct qmgr *q, struct str ip);

/* The number of a pool by its name, made when it is new; 0, the default pool,
 * for the empty one and when there are too many. */
uint32_t sources_pool(struct qmgr *q, struct str name);
struct str sources_pool_name(const struct qmgr *q, uint32_t pool);

/* Address and EHLO name of a source of the core; empty: the system's choice,
 * and myhostname. */
struct str sources_ip(const struct qmgr *q, uint32_t source);
struct str sources_name(const struct qmgr *q, uint32_t source);

/* How many sources of the core there are, numbered from 0. */
uint32_t sources_count(const struct qmgr *q);

/* The next source that the pool sends from now; *at begins with 0. False at
 * the end. */
bool sources_next(
    const struct qmgr *q, uint32_t pool, uint32_t *at, uint32_t *source);
/* What it may try at one provider in a day, 0: any number; and the address
 * that this counts for. */
uint32_t sources_ceiling(
    const struct qmgr *q, uint32_t source, uint32_t *address);

/* A source that there always is. */
uint32_t sources_default(const struct qmgr *q);

/* Whether the source stands for a pool without an address in service; then
 * why, for people, is appended. */
bool sources_is_nobody(
    const struct qmgr *q, uint32_t source, struct buf *reason);

/*
 * A result of the path says that its address cannot be used for its site
 * (CONNECT_UNFIT). True when another address of the pool may serve: then this
 * one is left alone there for source_unfit_time.
 */
bool sources_unfit(struct qmgr *q, uint32_t path, const struct ipc_result *r);

#endif
