/*
 * Reading a checkpoint into an empty core.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ckp.h"
#include "core_limits.h"
#include "core_name.h"
#include "dsn.h"
#include "dsn_due.h"
#include "log.h"
#include "plog.h"
#include "qmgr.h"
#include "recover.h"
#include "replay.h"
#include "reports.h"
#include "sources.h"

struct loading {
	struct qmgr *q;
	uint64_t records;
	uint64_t start_lsn;
	bool has_begin;
	bool has_end;
};

int
checkpoint_current(uint32_t *number)
{
	char name[CKP_PATH_SIZE] = "";
	char path[CKP_PATH_SIZE];
	autoclose int fd = open("ckp/CURRENT", O_RDONLY | O_CLOEXEC);
	uint32_t n;

	if (fd < 0) {
		return -errno;
	}
	if (read(fd, name, sizeof(name) - 1) < 0) {
		return -errno;
	}
	name[strcspn(name, "\n")] = '\0';
	if (sscanf(name, "%8x", &n) != 1) {
		return -EBADMSG;
	}
	ckp_path(n, path);
	if (strcmp(path + 4, name) != 0) {
		return -EBADMSG;
	}
	*number = n;
	return 0;
}

static bool
take(struct str *from, void *dst, size_t n)
{
	if (from->len < n) {
		return false;
	}
	memcpy(dst, from->p, n);
	from->p += n;
	from->len -= n;
	return true;
}

static bool
take_rcpt(struct qmgr *q, struct str *from, struct core_rcpt *r)
{
	struct str domain;
	uint8_t held;
	uint8_t len;

	*r = (struct core_rcpt){ 0 };
	if (!take(from, &r->ordinal, 2) || !take(from, &r->attempts, 2) ||
	    !take(from, &r->due_s, 4) || !take(from, &held, 1) ||
	    !take(from, &len, 1) || len == 0 || from->len < len) {
		return false;
	}
	domain = (struct str){ from->p, len };
	from->p += len;
	from->len -= len;
	r->is_held = held != 0;
	r->domain = core_domain(q->core, domain);
	return true;
}

/* The smallest encoded recipient, bytes: how many there may be. */
#define RCPT_MIN 11

static int
add_message(struct qmgr *q, const struct core_message *m, struct str rcpts,
    uint32_t *msg)
{
	struct core_rcpt *all =
	    accepted_room(q, (uint32_t)(rcpts.len / RCPT_MIN + 1));
	uint32_t n = 0;

	while (rcpts.len != 0) {
		if (!take_rcpt(q, &rcpts, &all[n])) {
			return -EBADMSG;
		}
		n++;
	}
	return core_restore(q->core, m, all, n, msg);
}

static void
add_dsns(struct qmgr *q, uint32_t msg, struct str items)
{
	struct dsn_item item;

	for (;;) {
		struct str before = items;

		if (!dsn_item_next(&items, &item)) {
			return;
		}
		before.len -= items.len;
		dsn_restore(q, msg, before);
	}
}

static int
on_message(struct loading *l, const struct ckp_message *c)
{
	struct qmgr *q = l->q;
	struct core_message m = {
		.id = c->msgid,
		.account = c->account,
		.subaccount = c->subaccount,
		.pool = sources_pool(q, c->pool),
		.class = (enum core_class)c->class,
		.flags = c->core_flags | (c->dsn.len != 0 ? CORE_PINNED : 0),
		.accept_lsn = c->accept_lsn,
		.expiry_s = c->expiry_s,
		.size = c->size,
		.place = { c->segid, c->rec_off, c->rec_len, c->content_off,
		    c->content_len, c->content_crc },
	};
	struct note note = {
		.reason = c->reason,
		.return_domain = notes_name_number(q->notes, c->return_domain),
		.flags = c->note_flags & (uint16_t) ~(NOTE_BIG | NOTE_DSN),
	};
	uint32_t msg;
	int r;

	if (c->rcpts.len == 0 && c->dsn.len == 0) {
		return 0; /* it ended while the checkpoint was written */
	}
	(void)segs_add(q->segs, c->segid);
	r = add_message(q, &m, c->rcpts, &msg);
	if (r < 0) {
		return r;
	}
	notes_set(q->notes, msg, note);
	if (c->big_file != 0) {
		notes_set_big(q->notes, msg, c->big_file);
	}
	add_dsns(q, msg, c->dsn);
	return 0;
}

static void
on_report(struct loading *l, const struct ckp_report *c)
{
	reports_restore(l->q,
	    &(struct report_view){
		.msgid = c->msgid,
		.accept_lsn = c->accept_lsn,
		.account = c->account,
		.subaccount = c->subaccount,
		.big_file = c->big_file,
		.place = { c->segid, c->rec_off, c->rec_len, c->content_off,
		    c->content_len, c->content_crc },
	    });
}

static int
on_record(struct loading *l, const struct plog_record *rec)
{
	union {
		struct ckp_begin begin;
		struct ckp_message message;
		struct ckp_report report;
		struct ckp_end end;
		struct ckp_reason reason;
		uint8_t space[CKP_STRUCT_MAX];
	} u;
	int r = ckp_decode(rec->type, rec->rec, &u);

	if (r == -ENOENT) {
		l->records++;
		replay_record(l->q, rec, 0);
		return 0;
	}
	if (r < 0) {
		return r;
	}
	switch ((enum ckp_type)rec->type) {
	case CKP_begin:
		l->has_begin = true;
		l->start_lsn = u.begin.start_lsn;
		core_expect(l->q->core, u.begin.messages);
		break;
	case CKP_message:
		r = on_message(l, &u.message);
		break;
	case CKP_report:
		on_report(l, &u.report);
		break;
	case CKP_reason:
		notes_set_reason(l->q->notes, u.reason.number, u.reason.text);
		break;
	case CKP_end:
		l->has_end = u.end.records == l->records;
		break;
	}
	l->records++;
	return r;
}

static int
read_all(struct loading *l, int fd)
{
	struct plog_reader reader = { 0 };
	struct plog_record rec;
	int r = plog_reader_init(&reader, fd);

	while (r == 0) {
		r = plog_reader_batch(&reader, UINT64_MAX);
		if (r != 1) {
			break;
		}
		r = 0;
		while (r == 0 && plog_reader_record(&reader, &rec)) {
			r = on_record(l, &rec);
		}
	}
	plog_reader_fini(&reader);
	if (r == 0 && (!l->has_begin || !l->has_end)) {
		r = -EBADMSG;
	}
	return r;
}

int
checkpoint_load(struct qmgr *q, uint32_t number, uint64_t *start_lsn)
{
	struct loading l = { .q = q };
	char path[CKP_PATH_SIZE];
	autoclose int fd = -1;
	int r;

	ckp_path(number, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	r = read_all(&l, fd);
	if (r == 0) {
		*start_lsn = l.start_lsn;
		return 0;
	}
	qmgr_empty(q);
	return r;
}
