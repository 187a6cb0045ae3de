/*
 * How long the journal is kept: by age and size, but never less than recovery
 * or a live message needs.
 */
#include <sys/stat.h>

#include "journal_index.h"
#include "log.h"
#include "qmgr.h"

/* Files looked at in one go. */
#define FILES_PER_CALL 1000

static bool
file_stat(uint32_t number, struct stat *st)
{
	char path[JOURNAL_NAME_SIZE + 4] = "jrn/";

	journal_name(number, path + 4);
	return stat(path, st) == 0;
}

static uint64_t
total_size(const struct qmgr *q)
{
	uint64_t sum = 0;
	struct stat st;

	for (uint32_t n = q->oldest_journal; n <= jrn_number(q->jrn); n++) {
		if (file_stat(n, &st)) {
			sum += (uint64_t)st.st_size;
		}
	}
	return sum;
}

/* The first that must stay in any case. */
static uint32_t
first_needed(const struct qmgr *q)
{
	uint32_t n = jrn_number(q->jrn);

	if (q->checkpoint_journal < n) {
		n = q->checkpoint_journal;
	}
	if (q->live_journal < n) {
		n = q->live_journal;
	}
	return n;
}

void
retention_apply(struct qmgr *q)
{
	uint64_t limit = q->conf->event_retention_size;
	uint64_t age_s = q->conf->event_retention_time / US_PER_S;
	uint64_t now_s = clock_wall_us() / US_PER_S;
	uint32_t needed = first_needed(q);
	char path[JOURNAL_NAME_SIZE + 4] = "jrn/";
	uint64_t size;
	struct stat st;

	if (q->oldest_journal >= needed) {
		return;
	}
	size = total_size(q);
	for (int i = 0; i < FILES_PER_CALL && q->oldest_journal < needed; i++) {
		if (file_stat(q->oldest_journal, &st)) {
			if (size <= limit &&
			    (uint64_t)st.st_mtime + age_s > now_s) {
				return;
			}
			size -= (uint64_t)st.st_size;
			journal_name(q->oldest_journal, path + 4);
			disk_remove_lazily(q->disk, path);
			journal_index_name(q->oldest_journal, path + 4);
			disk_remove_lazily(q->disk, path);
			log_info(
			    "journal file %08x is removed", q->oldest_journal);
		}
		q->oldest_journal++;
	}
}
