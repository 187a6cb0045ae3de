/*
 * An append-only log in files: one writer, any number of readers. Segments of
 * mail and the journal are such logs; packetboat-spool(5) specifies the bytes.
 *
 * A writer collects records into a forming batch; a helper thread writes
 * the batch with one pwritev and one fdatasync while the next one forms. A
 * record's done callback runs in the loop, after the sync returned.
 *
 * A reader reads batches at its cursor. Live operation and recovery use the
 * same calls.
 */
#ifndef LIB_PLOG_H
#define LIB_PLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

enum plog_kind { PLOG_MAIL = 1, PLOG_JOURNAL = 2, PLOG_CHECKPOINT = 3 };

/* File header and batch header, bytes; everything is aligned to 64. */
#define PLOG_FILE_HEADER 128
#define PLOG_BATCH_HEADER 64
#define PLOG_ALIGN 64
#define PLOG_RECORD_HEADER 24

/* ---- writing ------------------------------------------------------------ */

struct plog_writer;

/*
 * status: 0, the record is durable; -EIO: unknown, never acknowledge;
 * -ENOSPC: not written. segid, off: where the record's header stands.
 */
typedef void plog_done_fn(void *arg, int status, uint64_t segid, uint64_t off);

struct plog_config {
	enum plog_kind kind;
	uint64_t file_size;   /* a new file is begun beyond, bytes */
	uint32_t batch_bytes; /* a batch is closed beyond, bytes */
	uint32_t batch_records;
	uint32_t wait_us; /* longest wait for company (0: never wait) */
	/* How many more records may come soon: while there are any, a batch
	 * waits, at most wait_us. NULL: do not wait. */
	unsigned (*expected)(void *arg);
	/* Wait shorter for those who were expected in vain. */
	bool is_adaptive;
	/* Another file is needed: plog_writer_add_file, now or later. */
	void (*need_file)(void *arg);
	/* A file's durable end has grown; is_sealed: it will not grow again
	 * (off 0: it never did). */
	void (*durable)(
	    void *arg, uint64_t segid, uint64_t off, bool is_sealed);
	void *arg;
};

/* Starts the helper thread. Never NULL. */
struct plog_writer *plog_writer_new(const struct plog_config *c);

/*
 * Gives the writer an empty file (taken) that it fills next. The id is stored
 * in the file and seeds its checksums.
 */
void plog_writer_add_file(struct plog_writer *w, int fd, uint64_t segid);

/*
 * Where the next record appended would be stored: segment and number in it.
 * Returns 0, or -EAGAIN when no file is there (need_file was called).
 */
int plog_writer_next(
    struct plog_writer *w, uint64_t *segid, uint32_t *index) MUST_CHECK;

/*
 * Adds a record to the forming batch. rec is copied; the content's pieces
 * (wire bytes, written behind the records) must stay until done is called.
 * Returns 0; -EAGAIN: no file (nothing kept, done is not called).
 */
int plog_append(struct plog_writer *w, uint16_t type, const void *rec,
    size_t len, const struct iovec *content, int n, plog_done_fn *done,
    void *arg) MUST_CHECK;

/* What expected() says may have changed. */
void plog_writer_look(struct plog_writer *w);

/* Commit what is formed without waiting for more. */
void plog_writer_kick(struct plog_writer *w);

/* Records and bytes appended and not yet done. */
size_t plog_writer_pending(const struct plog_writer *w);

/* Ends the current file: later records go to the next one. */
void plog_writer_seal(struct plog_writer *w);

/* Waits for the helper thread; pending callbacks run with -ECANCELED. */
void plog_writer_free(struct plog_writer **w);

struct plog_stats {
	uint64_t records;
	uint64_t batches; /* equals data syncs */
	uint64_t bytes;
};
void plog_writer_stats(const struct plog_writer *w, struct plog_stats *out);

/* ---- reading ------------------------------------------------------------ */

struct plog_reader {
	int fd;		/* not owned */
	uint64_t segid; /* from the file's header */
	uint64_t off;	/* of the next batch */
	uint32_t index; /* number of the next record in the file */
	struct buf buf; /* the window: bytes read, from window_off on */
	uint64_t window_off;
	uint32_t base; /* of the batch read last, in buf */
	/* of the batch read last: */
	uint64_t batch_off;
	uint64_t batch_end;
	uint64_t batch_time_us;
	uint64_t committed; /* the file was durable up to here before it */
	uint32_t left;	    /* bytes of records not yet taken */
	uint32_t at;	    /* from base on */
};

struct plog_record {
	uint16_t type;
	uint64_t off;	      /* of its header in the file */
	struct str rec;	      /* in the reader's buffer, until the next batch */
	uint64_t content_off; /* in the file */
	uint32_t content_len;
	uint32_t content_crc;
	uint32_t index; /* in the file */
};

/*
 * Begins to read fd at its first batch. Returns 0; -ENODATA: shorter than its
 * header (a file just made); -EBADMSG: not such a file; -errno.
 */
int plog_reader_init(struct plog_reader *r, int fd) MUST_CHECK;
/*
 * The same for a file whose header cannot be read, with the id that its name
 * tells: each batch bears it too. Returns 0; -ENODATA: no batch is in it.
 */
int plog_reader_init_blind(
    struct plog_reader *r, int fd, uint64_t segid) MUST_CHECK;
void plog_reader_fini(struct plog_reader *r);

/* Goes to a batch boundary known from before; index is that of its first
 * record (0 when nobody asks). */
void plog_reader_seek(struct plog_reader *r, uint64_t off, uint32_t index);

/*
 * Reads the next batch's header and records (not its content). limit: bytes
 * beyond are not looked at (UINT64_MAX: to the end of the file).
 * Returns 1, a batch is there; 0, the end; -EBADMSG, a torn tail that was
 * never acknowledged; -EUCLEAN, damage before bytes that were acknowledged:
 * see plog_reader_skip; -errno.
 */
int plog_reader_batch(struct plog_reader *r, uint64_t limit) MUST_CHECK;

/*
 * Behind damage: goes to the next valid batch. Returns its distance in
 * bytes, 0 when there is none.
 */
uint64_t plog_reader_skip(struct plog_reader *r);

/* The records of the batch that are not taken yet, with their headers. */
struct str plog_reader_records(const struct plog_reader *r);

/* The next record of the batch. False at its end. */
bool plog_reader_record(struct plog_reader *r, struct plog_record *out);

/*
 * Reads one record at a known place (off as given to done). The text is in
 * *buf (cleared before). Returns 0, -EBADMSG or -errno.
 */
int plog_read_record(int fd, uint64_t segid, uint64_t off, struct buf *buf,
    struct plog_record *out) MUST_CHECK;

/*
 * Reads content to dst (len bytes) and checks it. Returns 0; -EBADMSG when
 * the checksum does not agree; -ENODATA when the file ends before; -errno.
 */
int plog_read_content(int fd, uint64_t segid, uint64_t off, void *dst,
    uint32_t len, uint32_t crc) MUST_CHECK;

/* The checksum of a content as stored in segment segid. */
uint32_t plog_crc(uint64_t segid, const void *p, size_t n);

#endif
