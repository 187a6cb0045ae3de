#include "jobs.h"

#include <string.h>

#include "buf.h"
#include "map.h"

#define SLOT_BITS 16
#define NO_SLOT UINT32_MAX

struct jobs {
	struct job *slots;
	uint32_t n;    /* slots used so far */
	uint32_t free; /* list of slots */
	uint32_t count;
	uint64_t next;	     /* number without its slot */
	struct map *foreign; /* of the run before: number to slot + 1 */
};

struct jobs *
jobs_new(uint64_t start_us)
{
	struct jobs *j = mem_alloc(sizeof(*j));

	j->slots = mem_alloc(JOBS_MAX * sizeof(*j->slots));
	j->free = NO_SLOT;
	j->foreign = map_new();
	/* 62500 numbers for each second of life are enough for ever. */
	j->next = start_us >> 4;
	return j;
}

void
jobs_free(struct jobs **jp)
{
	struct jobs *j = *jp;

	if (j == NULL) {
		return;
	}
	*jp = NULL;
	map_free(&j->foreign, NULL);
	free(j->slots);
	free(j);
}

bool
jobs_is_full(const struct jobs *j)
{
	return j->count == JOBS_MAX;
}

uint32_t
jobs_count(const struct jobs *j)
{
	return j->count;
}

static uint32_t
take_slot(struct jobs *j)
{
	uint32_t slot = j->free;

	bug_on(jobs_is_full(j));
	if (slot != NO_SLOT) {
		j->free = j->slots[slot].next_free;
	} else {
		slot = j->n++;
	}
	j->count++;
	memset(&j->slots[slot], 0, sizeof(j->slots[slot]));
	j->slots[slot].is_used = true;
	return slot;
}

struct job *
jobs_add(struct jobs *j)
{
	uint32_t slot = take_slot(j);

	j->slots[slot].id = j->next++ << SLOT_BITS | slot;
	return &j->slots[slot];
}

struct job *
jobs_adopt(struct jobs *j, uint64_t id)
{
	uint32_t slot = take_slot(j);

	j->slots[slot].id = id;
	(void)map_put_u64(j->foreign, id, &j->slots[slot]);
	return &j->slots[slot];
}

struct job *
jobs_find(const struct jobs *j, uint64_t id)
{
	struct job *job = &j->slots[id & (JOBS_MAX - 1)];

	if (job->is_used && job->id == id) {
		return job;
	}
	return map_len(j->foreign) != 0 ? map_get_u64(j->foreign, id) : NULL;
}

void
jobs_drop(struct jobs *j, struct job *job)
{
	uint32_t slot = (uint32_t)(job - j->slots);

	if (map_len(j->foreign) != 0) {
		(void)map_del_u64(j->foreign, job->id);
	}
	job->is_used = false;
	job->next_free = j->free;
	j->free = slot;
	j->count--;
}

struct job *
jobs_next(const struct jobs *j, uint32_t *at)
{
	while (*at < j->n) {
		struct job *job = &j->slots[(*at)++];

		if (job->is_used) {
			return job;
		}
	}
	return NULL;
}
