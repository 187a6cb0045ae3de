/*
 * webhookd without processes, disk and network: a journal in memory, saved
 * files in memory, and endpoints whose answers the test gives.
 */
#ifndef TESTS_WEBHOOK_WORLD_H
#define TESTS_WEBHOOK_WORLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "hook.h"
#include "journal_files.h"
#include "post.h"

/* What was posted; the test answers it, once. */
struct world_post {
	struct post *post; /* NULL: answered or cancelled */
	char *url;
	char *resolve;
	char *body;
	char *fields;
	json_t *events; /* of the body */
};

#define WORLD_POSTS 4096

struct world {
	struct journal_file file; /* the newest */
	struct world_post posts[WORLD_POSTS];
	unsigned n_posts;
	char *cursors; /* the saved file; NULL: none */
	bool saving_fails;
	bool holds_files; /* files that are asked for do not come */
};

extern struct world world;
extern struct conf world_conf;

/* An empty journal, webhookd initialised; files and cursors are kept from
 * before when again is true: a restart. */
void world_begin(bool again);
void world_end(bool keeps);

/* accountd tells of an endpoint, and that this is all. */
struct hook *world_hook(uint32_t id, uint32_t account, const char *url);
void world_tell(const struct ipc_hook *m);
void world_hooks_end(void);

/* Events of an account, numbered in their subjects' place; durable at once. */
uint64_t world_events(uint32_t account, unsigned from, unsigned n);
uint64_t world_event(enum event_type type, const void *event);
void world_durable(void);
/* A new qmgr has written nothing: its first file is not made yet. */
void world_new_qmgr(void);
/* The next events come in a new file. */
void world_next_file(void);
/* Retention removes a file. */
void world_remove_file(uint32_t number);

/* The post under way to a URL; NULL: none. */
struct world_post *world_pending(const char *url);
void world_answer(struct world_post *p, int status, const char *retry_after);

/* The attempts' numbers in a post, as "1 2 3". */
void world_numbers(const struct world_post *p, struct buf *out);

#endif
