#include "sts_cache.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "map.h"
#include "saver.h"
#include "service.h"

#define FILE_NAME "mta-sts"

/* So much that does not count any more is always allowed in the file, bytes.
 */
#define STALE_MIN (1024 * 1024)

TAILQ_HEAD(entry_list, sts_entry);

static struct {
	struct map *by_domain;
	struct entry_list by_use; /* longest ago first */
	size_t bytes;		  /* of memory, as size_of counts */
	size_t live_bytes;	  /* of the file, when it was last replaced */
	size_t file_bytes;
} cache;

/* ---- what an entry says ------------------------------------------------- */

static uint64_t
expires_s(const struct sts_known *k)
{
	uint64_t most_s = conf()->mta_sts_max_age / US_PER_S;
	uint64_t age_s = k->policy.max_age_s;

	return k->fetched_s + (age_s < most_s ? age_s : most_s);
}

uint64_t
sts_entry_expires_s(const struct sts_entry *e)
{
	return expires_s(&e->known);
}

bool
sts_entry_is_valid(const struct sts_entry *e)
{
	return e->has_policy &&
	    clock_wall_us() / US_PER_S < sts_entry_expires_s(e);
}

bool
sts_entry_is_old(const struct sts_entry *e)
{
	uint64_t from_s = e->known.fetched_s;

	return clock_wall_us() / US_PER_S >=
	    from_s + (sts_entry_expires_s(e) - from_s) / 2;
}

/* After so many failures in a row. */
static uint64_t
wait_after_s(uint32_t n)
{
	uint64_t most_s = conf()->mta_sts_retry_time_limit / US_PER_S;
	uint64_t s = conf()->mta_sts_retry_time / US_PER_S;

	while (--n > 0 && s < most_s) {
		s *= 2;
	}
	return s < most_s ? s : most_s;
}

uint32_t
sts_entry_wait_s(const struct sts_entry *e, const char *id)
{
	const struct sts_failure *f = e->failure;
	uint64_t now_s = clock_wall_us() / US_PER_S;
	uint64_t due_s;

	/* A clock that was put back must not make it wait for years. */
	if (f == NULL || strcmp(f->id, id) != 0 || f->tried_s > now_s) {
		return 0;
	}
	due_s = f->tried_s + wait_after_s(f->n);
	return due_s > now_s ? (uint32_t)(due_s - now_s) : 0;
}

uint64_t
sts_entry_retry_s(const struct sts_entry *e)
{
	return clock_wall_us() / US_PER_S + sts_entry_wait_s(e, e->failure->id);
}

/* Somebody may come back to it, and should wait longer then. */
static bool
is_worth_keeping(const struct sts_failure *f)
{
	uint64_t now_s = clock_wall_us() / US_PER_S;
	uint64_t limit_s = conf()->mta_sts_retry_time_limit / US_PER_S;

	return f->tried_s <= now_s && now_s - f->tried_s < 2 * limit_s;
}

/* ---- the table ---------------------------------------------------------- */

/* An entry with its places in tables. */
static size_t
size_of(const struct sts_entry *e)
{
	return sizeof(*e) + 2 * strlen(e->known.domain) + 128 +
	    e->known.policy.mx.cap +
	    (e->failure != NULL ? sizeof(*e->failure) : 0);
}

static void
entry_free(struct sts_entry *e)
{
	cache.bytes -= size_of(e);
	TAILQ_REMOVE(&cache.by_use, e, by_use);
	(void)map_del(cache.by_domain, str_of(e->known.domain));
	if (e->fetch != NULL) {
		sts_fetch_end(e->fetch);
		free(e->fetch);
	}
	sts_policy_fini(&e->known.policy);
	free(e->failure);
	free(e);
}

/* The one used last stays: somebody has it in hand. */
static void
make_room(void)
{
	struct sts_entry *e = TAILQ_FIRST(&cache.by_use);

	while (cache.bytes > conf()->mta_sts_cache_size &&
	    e != TAILQ_LAST(&cache.by_use, entry_list)) {
		struct sts_entry *next = TAILQ_NEXT(e, by_use);

		if (e->fetch == NULL) {
			entry_free(e);
		}
		e = next;
	}
}

static void
use(struct sts_entry *e)
{
	TAILQ_REMOVE(&cache.by_use, e, by_use);
	TAILQ_INSERT_TAIL(&cache.by_use, e, by_use);
}

struct sts_entry *
sts_cache_find(const char *domain)
{
	struct sts_entry *e = map_get(cache.by_domain, str_of(domain));

	if (e != NULL) {
		use(e);
	}
	return e;
}

struct sts_entry *
sts_cache_get(const char *domain)
{
	struct sts_entry *e = sts_cache_find(domain);

	if (e == NULL) {
		e = mem_alloc(sizeof(*e));
		str_copy(
		    e->known.domain, sizeof(e->known.domain), str_of(domain));
		TAILQ_INIT(&e->waiting);
		TAILQ_INSERT_TAIL(&cache.by_use, e, by_use);
		(void)map_put(cache.by_domain, str_of(domain), e);
		cache.bytes += size_of(e);
		make_room();
	}
	return e;
}

struct sts_entry *
sts_cache_next(size_t *at)
{
	struct str key;
	void *value;

	return map_next(cache.by_domain, at, &key, &value) ? value : NULL;
}

/* f: NULL, or what the entry owns from now on. */
static void
set_failure(struct sts_entry *e, struct sts_failure *f)
{
	cache.bytes -= size_of(e);
	free(e->failure);
	e->failure = f;
	cache.bytes += size_of(e);
}

static void
set_known(struct sts_entry *e, const struct sts_known *k)
{
	cache.bytes -= size_of(e);
	sts_policy_fini(&e->known.policy);
	e->known = *k;
	e->has_policy = true;
	cache.bytes += size_of(e);
	use(e);
	make_room();
}

/* ---- the file ----------------------------------------------------------- */

static void
on_saved(void *arg, int status)
{
	(void)arg;
	(void)status; /* saver.c has logged it; memory is right all the same */
}

/* Writes it anew with the lines that count. */
static void
compact(void)
{
	struct buf text = { 0 };
	struct sts_entry *e;

	buf_puts(&text, STS_FILE_HEAD);
	TAILQ_FOREACH (e, &cache.by_use, by_use) {
		if (sts_entry_is_valid(e)) {
			sts_line_put(&text, &e->known);
		}
		if (e->failure != NULL && is_worth_keeping(e->failure)) {
			sts_failure_put(&text, e->known.domain, e->failure);
		}
	}
	cache.live_bytes = cache.file_bytes = text.len;
	saver_replace(FILE_NAME, &text, on_saved, NULL);
}

/* Takes a line of what memory knows already. */
static void
append(struct buf *line)
{
	if (cache.file_bytes > 2 * cache.live_bytes + STALE_MIN) {
		buf_fini(line);
		compact();
		return;
	}
	cache.file_bytes += line->len;
	saver_append(FILE_NAME, line, UINT64_MAX, on_saved, NULL);
}

void
sts_cache_fail(struct sts_entry *e, const char *error)
{
	uint32_t n = e->failure != NULL ? e->failure->n : 0;
	struct sts_failure *f = mem_alloc(sizeof(*f));
	struct buf line = { 0 };

	f->n = n < UINT32_MAX ? n + 1 : n;
	f->tried_s = clock_wall_us() / US_PER_S;
	str_copy(f->id, sizeof(f->id), str_of(e->wanted_id));
	str_copy(f->error, sizeof(f->error), str_of(error));
	set_failure(e, f);
	sts_failure_put(&line, e->known.domain, f);
	append(&line);
}

void
sts_cache_store(struct sts_entry *e, const char *id, struct sts_policy *policy)
{
	struct buf line = { 0 };
	struct sts_known k = { .fetched_s = clock_wall_us() / US_PER_S,
		.policy = *policy };

	*policy = (struct sts_policy){ 0 };
	str_copy(k.domain, sizeof(k.domain), str_of(e->known.domain));
	str_copy(k.id, sizeof(k.id), str_of(id));
	set_failure(e, NULL);
	set_known(e, &k);
	sts_line_put(&line, &e->known);
	append(&line);
}

/* A clock that was wrong must not make a policy live for ever. */
static void
take_over(struct sts_known *k)
{
	uint64_t now_s = clock_wall_us() / US_PER_S;

	struct sts_entry *e;

	k->fetched_s = k->fetched_s < now_s ? k->fetched_s : now_s;
	if (expires_s(k) > now_s) {
		e = sts_cache_get(k->domain);
		set_failure(e, NULL);
		set_known(e, k);
	} else {
		sts_policy_fini(&k->policy);
	}
}

static void
take_failure(const char *domain, const struct sts_failure *f)
{
	struct sts_failure *own;

	if (is_worth_keeping(f)) {
		own = mem_alloc(sizeof(*own));
		*own = *f;
		set_failure(sts_cache_get(domain), own);
	}
}

static int
read_line(struct str line)
{
	char domain[DOMAIN_NAME_MAX + 1];
	struct sts_failure f;
	struct sts_known k;

	if (sts_line_parse(line, &k) == 0) {
		take_over(&k);
		return 0;
	}
	if (sts_failure_parse(line, domain, &f) == 0) {
		take_failure(domain, &f);
		return 0;
	}
	return -EBADMSG;
}

static void
read_lines(struct str text)
{
	struct str line;
	unsigned n_bad = 0;

	while (str_split(&text, '\n', &line)) {
		if (read_line(line) < 0) {
			n_bad++;
		}
	}
	if (n_bad > 0) {
		log_warn("%s: %u damaged lines are left out: their policies "
			 "are fetched again",
		    FILE_NAME, n_bad);
	}
}

/* Always written anew: so it begins well, and is small. */
void
sts_cache_start(void)
{
	struct buf text = { 0 };
	struct str lines;
	int e;

	cache.by_domain = map_new();
	TAILQ_INIT(&cache.by_use);
	saver_start();
	e = file_load(FILE_NAME, SIZE_MAX, &text);
	if (e < 0 && e != -ENOENT) {
		log_error("%s: cannot be read: %s", FILE_NAME, strerror(-e));
	}
	lines = buf_str(&text);
	if (str_starts(lines, STS_FILE_HEAD)) {
		lines.p += sizeof(STS_FILE_HEAD) - 1;
		lines.len -= sizeof(STS_FILE_HEAD) - 1;
		read_lines(lines);
	} else if (lines.len > 0) {
		log_warn("%s: has another form: policies are fetched again",
		    FILE_NAME);
	}
	buf_fini(&text);
	compact();
}

void
sts_cache_stop(void)
{
	struct sts_entry *e;

	if (cache.by_domain == NULL) {
		return;
	}
	while ((e = TAILQ_FIRST(&cache.by_use)) != NULL) {
		entry_free(e);
	}
	map_free(&cache.by_domain, NULL);
	bug_on(cache.bytes != 0);
	saver_stop();
}
