/* Whatever the records of a journal or a checkpoint say (each input: what it
 * is, then type, length and bytes of records): each message that is alive for
 * them has something left to do, and knows its recipients. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "journal.h"
#include "pbspool_state.h"

static bool
next_record(const uint8_t **p, size_t *left, struct plog_record *rec)
{
	uint16_t head[2];

	if (*left < sizeof(head)) {
		return false;
	}
	memcpy(head, *p, sizeof(head));
	*p += sizeof(head);
	*left -= sizeof(head);
	rec->type = head[0];
	rec->rec.p = (const char *)*p;
	rec->rec.len = head[1] < *left ? head[1] : *left;
	*p += rec->rec.len;
	*left -= rec->rec.len;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_checkpoint = size > 0 && *data++ == 'c';
	size_t left = size > 0 ? size - 1 : 0;
	struct pbspool_state *s = pbspool_state_new();
	struct plog_record rec = { .off = PLOG_FILE_HEADER };
	struct pbspool_message *m;
	uint64_t start = 0;
	size_t at = 0;

	for (; next_record(&data, &left, &rec); rec.off += PLOG_ALIGN) {
		if (is_checkpoint) {
			(void)!pbspool_state_checkpoint(s, &rec);
		} else {
			pbspool_state_record(s, &rec, journal_lsn(1, rec.off));
		}
	}
	if (is_checkpoint && rec.off % 128 == 0) {
		(void)pbspool_state_checkpoint_end(s, &start);
	}
	while ((m = pbspool_state_next(s, &at)) != NULL) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < m->n_ordinals; i++) {
			n += pbspool_message_is_open(m, i);
		}
		assert(n == m->n_open);
		assert(m->is_inbound || m->n_open + m->n_dsns > 0);
	}
	pbspool_state_free(&s);
	return 0;
}
