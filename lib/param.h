/*
 * The parameters: each is one row of param.def. From the rows come struct
 * conf, the parser of packetboat.cf, the checks, pbconf(1) and the list in
 * packetboat.cf(5).
 */
#ifndef LIB_PARAM_H
#define LIB_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum param_type {
	PARAM_STRING, /* const char *, never NULL */
	PARAM_LIST,   /* const char *, words parted by commas or blanks */
	PARAM_TIME,   /* uint64_t, microseconds; "30s 5m 2h 1d 1w", unit s */
	PARAM_SIZE,   /* uint64_t, bytes; "64K 10M 2G" */
	PARAM_NUMBER, /* uint64_t */
	PARAM_BOOL,   /* bool; yes no */
	PARAM_CHOICE, /* const char *, one of the words in .choices */
};

typedef const char *param_ctype_STRING;
typedef const char *param_ctype_LIST;
typedef uint64_t param_ctype_TIME;
typedef uint64_t param_ctype_SIZE;
typedef uint64_t param_ctype_NUMBER;
typedef bool param_ctype_BOOL;
typedef const char *param_ctype_CHOICE;

struct conf {
	char *dir; /* where packetboat.cf was read from */
#define PARAM(name, type, ...) param_ctype_##type name;
#include "param.def"
#undef PARAM
};

struct param {
	const char *name;
	enum param_type type;
	size_t offset;
	unsigned owner;	     /* set of roles that use it (ipc.h) */
	const char *def;     /* as an administrator writes it */
	uint64_t min, max;   /* TIME in seconds, SIZE, NUMBER; max 0: none */
	const char *choices; /* "none may encrypt" */
	const char *text;    /* sentences for the manual */
};

extern const struct param params[];
extern const size_t n_params;

const struct param *param_find(const char *name);
/* The closest name, for a message about a misspelt one; may be NULL. */
const char *param_nearest(const char *name);

#endif
