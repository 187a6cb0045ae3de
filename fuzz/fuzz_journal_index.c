/* Whatever is in a journal file, its index is sound and misses no message; and
 * any bytes are an index or are not. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event_id.h"
#include "fuzz.h"
#include "journal.h"
#include "journal_index.h"
#include "plog.h"

static bool
has_key(const struct journal_index *x, uint64_t off, uint64_t key)
{
	for (uint32_t i = 0; i < x->n; i++) {
		struct journal_stretch s;

		journal_index_stretch(x, i, &s);
		if (off >= s.off && off < s.end) {
			return journal_stretch_may_have(&s, key);
		}
	}
	return false;
}

static void
check(int fd, const struct journal_index *x)
{
	struct plog_reader r;
	struct plog_record rec;
	struct event_common c;

	assert(plog_reader_init(&r, fd) == 0);
	while (plog_reader_batch(&r, UINT64_MAX) == 1) {
		while (plog_reader_record(&r, &rec)) {
			if (event_peek(rec.type, rec.rec, &c)) {
				assert(has_key(x, rec.off,
				    journal_key(JOURNAL_KEY_ID,
					(struct str){
					    (const char *)c.msgid.b, 16 })));
			}
		}
	}
	plog_reader_fini(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct str text = { (const char *)data, size };
	struct journal_index x;
	struct buf out = { 0 };

	if (journal_index_open(text, 1, &x) == 0) {
		(void)has_key(&x, x.size / 2, 1);
	}
	assert(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (journal_index_build(fd, 1, &out) == 0) {
		assert(journal_index_open(buf_str(&out), 1, &x) == 0);
		check(fd, &x);
	} else {
		assert(out.len == 0);
	}
	buf_fini(&out);
	return 0;
}
