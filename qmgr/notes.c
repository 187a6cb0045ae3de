#include "notes.h"

#include <string.h>

#include "buf.h"
#include "core_slab.h"
#include "map.h"

#define NOTES_MAX ((1u << 26) + 1) /* as core_config_init's max_messages */
#define NAMES_MAX 65535
#define REASONS 65536u
#define REASON_MAX 200 /* bytes kept of a text */

/* A slot is used again and again; the number tells which time. */
struct reason {
	char *text;
	uint32_t number;
};

struct notes {
	struct note *all; /* by handle; address space, used as they come */
	size_t used;
	struct map *big;   /* handle to number of file */
	struct map *names; /* name to its number + 1 */
	char **name;
	uint32_t n_names;
	struct map *by_text; /* text to its struct reason */
	struct reason *reasons;
	uint32_t last_reason;
};

struct notes *
notes_new(void)
{
	struct notes *n = mem_alloc(sizeof(*n));

	n->all = slab_reserve(NOTES_MAX * sizeof(*n->all));
	bug_on(n->all == NULL); /* far less than the core was granted */
	n->big = map_new();
	n->names = map_new();
	n->by_text = map_new();
	n->reasons = mem_alloc(REASONS * sizeof(*n->reasons));
	n->name = mem_alloc(sizeof(*n->name));
	n->name[0] = mem_strdup("");
	n->n_names = 1;
	return n;
}

void
notes_free(struct notes **np)
{
	struct notes *n = *np;

	if (n == NULL) {
		return;
	}
	*np = NULL;
	for (uint32_t i = 0; i < n->n_names; i++) {
		free(n->name[i]);
	}
	for (uint32_t i = 0; i < REASONS; i++) {
		free(n->reasons[i].text);
	}
	free(n->reasons);
	free(n->name);
	slab_release(n->all, NOTES_MAX * sizeof(*n->all));
	map_free(&n->big, NULL);
	map_free(&n->names, NULL);
	map_free(&n->by_text, NULL);
	free(n);
}

void
notes_set(struct notes *n, uint32_t msg, struct note note)
{
	*notes_at(n, msg) = note;
}

struct note *
notes_at(struct notes *n, uint32_t msg)
{
	bug_on(msg >= NOTES_MAX);
	if (msg >= n->used) {
		n->used = (size_t)msg + 1;
	}
	return &n->all[msg];
}

void
notes_clear(struct notes *n, uint32_t msg)
{
	struct note *note = notes_at(n, msg);

	if (note->flags & NOTE_BIG) {
		(void)map_del_u64(n->big, msg);
	}
	*note = (struct note){ 0 };
}

uint64_t
notes_big(const struct notes *n, uint32_t msg)
{
	if (msg >= n->used || !(n->all[msg].flags & NOTE_BIG)) {
		return 0;
	}
	return (uint64_t)(uintptr_t)map_get_u64(n->big, msg);
}

void
notes_set_big(struct notes *n, uint32_t msg, uint64_t number)
{
	notes_at(n, msg)->flags |= NOTE_BIG;
	(void)map_put_u64(n->big, msg, (void *)(uintptr_t)number);
}

size_t
notes_big_count(const struct notes *n)
{
	return map_len(n->big);
}

uint16_t
notes_name_number(struct notes *n, struct str name)
{
	uintptr_t number;

	if (name.len == 0) {
		return 0;
	}
	number = (uintptr_t)map_get(n->names, name);
	if (number != 0) {
		return (uint16_t)number;
	}
	if (n->n_names >= NAMES_MAX) {
		return 0;
	}
	n->name = mem_resize(n->name, (n->n_names + 1) * sizeof(*n->name));
	n->name[n->n_names] = str_dup(name);
	(void)map_put(n->names, name, (void *)(uintptr_t)n->n_names);
	return (uint16_t)n->n_names++;
}

struct str
notes_name(const struct notes *n, uint16_t number)
{
	bug_on(number >= n->n_names);
	return str_of(n->name[number]);
}

void
notes_set_reason(struct notes *n, uint32_t number, struct str text)
{
	struct reason *r = &n->reasons[number % REASONS];

	if (r->text != NULL) {
		(void)map_del(n->by_text, str_of(r->text));
		free(r->text);
	}
	r->text = str_dup(text);
	r->number = number;
	(void)map_put(n->by_text, str_of(r->text), r);
	if (number > n->last_reason) {
		n->last_reason = number;
	}
}

uint32_t
notes_reason_number(struct notes *n, struct str text)
{
	char clean[REASON_MAX];
	const struct reason *r;
	struct str s;

	if (text.len == 0) {
		return 0;
	}
	s = str_of(str_safe(clean, sizeof(clean), text));
	r = map_get(n->by_text, s);
	if (r != NULL) {
		return r->number;
	}
	notes_set_reason(n, n->last_reason + 1, s);
	return n->last_reason;
}

struct str
notes_reason(const struct notes *n, uint32_t number)
{
	const struct reason *r = &n->reasons[number % REASONS];

	if (number == 0 || r->number != number || r->text == NULL) {
		return (struct str){ 0 };
	}
	return str_of(r->text);
}

bool
notes_reason_next(
    const struct notes *n, uint32_t *at, uint32_t *number, struct str *text)
{
	while (*at < REASONS) {
		const struct reason *r = &n->reasons[(*at)++];

		if (r->text != NULL) {
			*number = r->number;
			*text = str_of(r->text);
			return true;
		}
	}
	return false;
}

size_t
notes_memory(const struct notes *n)
{
	return n->used * sizeof(*n->all) + map_len(n->big) * 48;
}
