/*
 * shaping.cf: how much is sent to whom, and what follows from replies
 * (shaping.cf(5)). Reading and matching only; qmgr keeps the limits.
 */
#ifndef LIB_SHAPING_H
#define LIB_SHAPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "reply_class.h"
#include "str.h"

#define SHAPING_RETRIES 32
#define SHAPING_NAME_MAX 63	/* bytes of the name of a provider or set */
#define SHAPING_TEXT_MAX 1024u	/* of a reply are compared with rules */
#define SHAPING_RULES_MAX 1000u /* of the whole file */

/* Never more than n in any time of per_s seconds; burst of them at once: what
 * is kept for the burst is taken from the even rate. */
struct shaping_rate {
	uint32_t n; /* 0: no limit */
	uint32_t per_s;
	uint32_t burst; /* 0: evenly spread */
};

/* 0 in any field: not set. */
struct shaping_limits {
	uint32_t connections;
	struct shaping_rate connection_rate; /* new ones */
	struct shaping_rate messages;
	struct shaping_rate recipients;
	uint32_t conn_messages;
	uint32_t conn_seconds;
	uint32_t window_start;
	uint32_t window_limit;
	uint32_t retry_s[SHAPING_RETRIES];
	uint32_t nretry;
};

/* A named set of limits for hard times. */
struct shaping_backoff {
	char *name;
	unsigned line;
	struct shaping_limits limits;
	uint64_t leave_after_us; /* without trouble */
};

enum shaping_fate {
	SHAPING_FATE_KEPT,   /* as deliver has judged */
	SHAPING_FATE_BOUNCE, /* given up at once */
	SHAPING_FATE_DEFER,  /* tried again, whatever the code says */
};

struct shaping_rule {
	unsigned line;
	char *pattern;	     /* as written, for people */
	void *regex;	     /* compiled */
	unsigned phases;     /* enum reply_phase, or-ed; 0: any */
	uint64_t suspend_us; /* 0: not suspended */
	bool is_for_all;     /* sources, not only the one that was used */
	const struct shaping_backoff *backoff; /* to enter; NULL: none */
	char *backoff_name;
	uint64_t backoff_us; /* 0: the set's leave_after */
	struct shaping_limits limits;
	uint64_t limits_us; /* 0: no limits are set */
	uint32_t requeue_s; /* 0: by schedule */
	enum shaping_fate fate;
	bool has_class;
	enum reason class;
};

enum shaping_kind {
	SHAPING_DEFAULT,
	SHAPING_PROVIDER,
	SHAPING_SITE,
	SHAPING_DOMAIN,
	SHAPING_BACKOFF, /* in a file only: never in struct shaping_section */
};

struct shaping_section {
	enum shaping_kind kind;
	char *name; /* "" of the default */
	unsigned line;
	char **mx; /* suffixes of MX hosts, of a provider */
	size_t n_mx;
	struct shaping_limits limits;
	const struct shaping_backoff *backoff; /* after so many deferrals */
	char *backoff_name;
	unsigned backoff_line;
	uint32_t backoff_after; /* in a row; 0: never */
	struct shaping_rule **rules;
	size_t n_rules;
};

struct shaping {
	char *path; /* for messages: "shaping.cf", or "built-in" */
	struct shaping_section **sections; /* [0] is the default */
	size_t n_sections;
	struct shaping_backoff **backoffs;
	size_t n_backoffs;
	size_t n_rules;
};

/*
 * Reads DIR/shaping.cf; without that file the built-in text. Returns 0 and
 * what shaping_free frees; or -errno (-EINVAL for a mistake in the file) with
 * one line in *error: file, line, what is wrong, what would be right.
 */
int shaping_load(
    const char *dir, struct shaping **out, struct buf *error) MUST_CHECK;

/* Whether shaping_load would read it: 0, or -errno as there. */
int shaping_check(const char *dir, struct buf *error) MUST_CHECK;

/* shaping_load of a text; path is for messages. */
int shaping_parse(const char *path, struct str text, struct shaping **out,
    struct buf *error) MUST_CHECK;
void shaping_free(struct shaping **s);

/* What applies without a file. */
extern const char shaping_builtin[];

/* NULL: there is none of that name. */
const struct shaping_section *shaping_section(
    const struct shaping *s, enum shaping_kind kind, struct str name);
const struct shaping_backoff *shaping_backoff(
    const struct shaping *s, struct str name);

/* The provider whose longest suffix fits the host's name; NULL: none. */
const struct shaping_section *shaping_provider(
    const struct shaping *s, struct str host);

/*
 * The section's first rule for a reply: code, enhanced code and text as in a
 * result, lines parted by LF; what is beyond SHAPING_TEXT_MAX is not looked
 * at. NULL: none.
 */
const struct shaping_rule *shaping_match(
    const struct shaping_section *s, enum reply_phase phase, struct str reply);

/* ---- shaping_value.c: one setting ---------------------------------------- */

/*
 * Sets what name says to the value (without white space around). Returns 0;
 * -ENOENT, no limit has this name; -EINVAL with the right form in *why.
 */
int shaping_limits_take(struct shaping_limits *l, struct str name,
    struct str value, struct buf *why) MUST_CHECK;

/* "NAME=VALUE NAME=VALUE": 0 or -EINVAL with a sentence in *why. */
int shaping_limits_parse(
    struct shaping_limits *l, struct str words, struct buf *why) MUST_CHECK;

/* Appends what is set in the form that shaping_limits_parse reads. */
void shaping_limits_print(const struct shaping_limits *l, struct buf *out);

/* Every limit that over sets replaces that of l. */
void shaping_limits_replace(
    struct shaping_limits *l, const struct shaping_limits *over);
/* Every limit that other sets is not set in l any more. */
void shaping_limits_clear(
    struct shaping_limits *l, const struct shaping_limits *other);
/* Every limit becomes the stricter of both. */
void shaping_limits_tighten(
    struct shaping_limits *l, const struct shaping_limits *with);

/* "90s" "10m" "2h" "3d" "1w", also without a number for one of them; a
 * number alone is seconds. 1 s to 366 d. 0 or -EINVAL. */
int shaping_time(struct str s, uint32_t *seconds) MUST_CHECK;
/* The shortest such text. */
void shaping_time_print(uint32_t seconds, struct buf *out);

/* The name of a limit nearest to a misspelt one; NULL: none is near. */
const char *shaping_limit_near(const char *name);

#endif
