/* Reading any file ends, stays inside the file, and gives only records and
 * contents whose checksums agree. */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "plog.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t content[1 << 16];
	autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct plog_reader r;
	struct plog_record rec;
	int e;

	assert(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (plog_reader_init(&r, fd) < 0) {
		return 0;
	}
	while ((e = plog_reader_batch(&r, UINT64_MAX)) == 1 || e == -EUCLEAN) {
		if (e == -EUCLEAN && plog_reader_skip(&r) == 0) {
			break;
		}
		while (e == 1 && plog_reader_record(&r, &rec)) {
			assert(rec.off + rec.rec.len <= size);
			if (rec.content_len <= sizeof(content)) {
				e = plog_read_content(fd, r.segid,
				    rec.content_off, content, rec.content_len,
				    rec.content_crc);
				assert(e <= 0);
				e = 1;
			}
		}
	}
	assert(r.off <= size + (512u << 20));
	plog_reader_fini(&r);
	return 0;
}
