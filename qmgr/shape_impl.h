/*
 * What the files of shape.h say to each other.
 */
#ifndef QMGR_SHAPE_IMPL_H
#define QMGR_SHAPE_IMPL_H

#include "shape.h"

struct shape {
	struct shaping *conf;
	struct shape_env env;
	struct effects *effects;
	struct map *domains; /* site to the section of a domain it serves */
	struct shaping_limits latest; /* whose schedule shape_result gave */
	struct buf text;
};

/* What shaping.cf says of a site or provider. */
void shape_base(const struct shape *s, enum core_level level, struct str name,
    struct shaping_limits *l);

/* Gives the core the limits that the target's effects leave. */
void shape_apply(struct shape *s, const struct target *t, uint64_t now_us);

#endif
