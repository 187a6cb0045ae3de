#include "pbspool_salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "event_json.h"
#include "file.h"
#include "json_put.h"
#include "pbspool_content.h"
#include "pbspool_load.h"
#include "pbspool_scan.h"
#include "spool.h"
#include "uuid.h"

const char PBSPOOL_FOUND[] = "found";

#define NAME_SIZE (UUID_TEXT_SIZE + 8)

struct job {
	struct pbspool_salvage *s;
	struct pbspool_state *state;
	struct map *written; /* by id */
	struct map *broken;  /* by id */
	struct pbspool_scan *scan;
	const struct pbspool_file *file; /* that is read */
	struct buf *where;
	int error;
};

/* A message found in a segment. */
struct find {
	const struct event_accepted *e;
	const struct plog_record *rec;
	const struct pbspool_message *m; /* NULL: the journal has none alive */
	const char *state;
	char id[UUID_TEXT_SIZE];
};

static struct str
key_of(const struct uuid *id)
{
	return (struct str){ (const char *)id->b, sizeof(id->b) };
}

/* ---- files -------------------------------------------------------------- */

static int
create(struct job *j, const char *name)
{
	int fd = openat(j->s->out, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

/* Makes the file, or nothing: what is written in part is removed. */
static int
finish_file(struct job *j, int fd, const char *name, int r)
{
	if (r == 0 && fsync(fd) < 0) {
		r = -errno;
	}
	(void)close(fd);
	if (r < 0) {
		(void)unlinkat(j->s->out, name, 0);
		buf_puts(j->where, name);
	}
	return r;
}

/* ---- the message -------------------------------------------------------- */

/* The stored form without the dots that SMTP adds to lines. */
struct unstuff {
	int fd;
	unsigned matched; /* of CR LF; 2: at a line's beginning */
	struct buf out;
};

static int
on_piece(void *arg, const void *p, size_t n)
{
	struct unstuff *u = arg;
	const char *text = p;
	int r;

	u->out.len = 0;
	for (size_t i = 0; i < n; i++) {
		bool is_begin = u->matched == 2;

		if (text[i] == '\r') {
			u->matched = 1;
		} else {
			u->matched = text[i] == '\n' && u->matched == 1 ? 2 : 0;
		}
		if (!is_begin || text[i] != '.') {
			buf_u8(&u->out, (uint8_t)text[i]);
		}
	}
	r = file_write(u->fd, u->out.p, u->out.len);
	return r;
}

static int
write_message(struct job *j, const struct find *f, const char *name)
{
	struct unstuff u = { .fd = create(j, name), .matched = 2 };
	int r;

	if (u.fd < 0) {
		if (u.fd != -EEXIST) {
			buf_puts(j->where, name);
		}
		return u.fd;
	}
	r = pbspool_content_read(j->s->files, j->scan->fd, j->scan->segid,
	    j->scan->size, f->rec, f->e, on_piece, &u);
	buf_fini(&u.out);
	return finish_file(j, u.fd, name, r);
}

/* ---- its envelope ------------------------------------------------------- */

static void
put_recipients(struct buf *out, const struct find *f)
{
	struct str rest = f->e->rcpts;
	struct event_rcpt r;
	uint32_t n = 0;

	json_put_open(out, "recipients", '[');
	while (event_rcpt_next(&rest, &r)) {
		json_put_open(out, NULL, '{');
		json_put_str(out, "address", r.address);
		json_put_str_known(out, "orcpt", r.orcpt);
		json_put_num(out, "notify", r.notify & (RCPT_BLOCKED - 1));
		json_put_bool(
		    out, "is_suppressed", (r.notify & RCPT_BLOCKED) != 0);
		if (f->m != NULL) {
			json_put_bool(
			    out, "is_open", pbspool_message_is_open(f->m, n));
		}
		json_put_close(out, '}');
		n++;
	}
	json_put_close(out, ']');
}

static void
put_envelope(struct buf *out, const struct job *j, const struct find *f)
{
	struct event_view v = { .type = EVENT_accepted, .event = f->e };
	struct buf accepted = { 0 };

	json_put_open(out, NULL, '{');
	json_put_str(out, "message_id", str_of(f->id));
	json_put_str(out, "state", str_of(f->state));
	json_put_str(out, "segment", str_of(j->file->path));
	json_put_num(out, "offset", f->rec->off);
	json_put_str(out, "sender", f->e->sender);
	put_recipients(out, f);
	event_json_line(&accepted, &v);
	json_put_object_text(out, "accepted", buf_str(&accepted));
	json_put_close(out, '}');
	buf_u8(out, '\n');
	buf_fini(&accepted);
}

static int
write_envelope(struct job *j, const struct find *f, const char *name)
{
	struct buf text = { 0 };
	int fd = create(j, name);
	int r;

	if (fd < 0) {
		buf_puts(j->where, name);
		return fd;
	}
	put_envelope(&text, j, f);
	r = file_write(fd, text.p, text.len);
	if (j->s->is_json && r == 0) {
		(void)fwrite(text.p, 1, text.len, stdout);
	}
	buf_fini(&text);
	return finish_file(j, fd, name, r);
}

/* ---- which -------------------------------------------------------------- */

/*
 * What the message is in this place. Where it was moved from it is as good as
 * where it is.
 */
static const char *
state_of(const struct job *j, const struct find *f, enum pbspool_trust trust)
{
	const struct pbspool_segment *g =
	    pbspool_state_segment(j->state, j->scan->segid);

	if (f->m != NULL) {
		return "alive";
	}
	if (trust == PBSPOOL_BEHIND_TEAR) {
		return "unacknowledged";
	}
	if (j->scan->segid >> 56 != SPOOL_WRITER_QMGR &&
	    (g == NULL ||
		(!g->is_read && !g->is_removed && f->rec->off >= g->off))) {
		return "new";
	}
	return "finished";
}

static bool
is_wanted(const struct job *j, const struct find *f)
{
	const struct pbspool_salvage *s = j->s;

	if (s->ids != NULL && map_get(s->ids, key_of(&f->e->msgid)) == NULL) {
		return false;
	}
	return !s->only_alive || strcmp(f->state, "alive") == 0 ||
	    strcmp(f->state, "new") == 0;
}

static void
not_whole(
    struct job *j, const struct find *f, enum pbspool_trust trust, int error)
{
	if (error == -EUCLEAN && strcmp(f->state, "finished") == 0) {
		return; /* the big file goes before the segment does */
	}
	/* one that may never have been acknowledged is no loss */
	if (f->m != NULL || trust == PBSPOOL_ACKNOWLEDGED) {
		(void)map_put(j->broken, key_of(&f->e->msgid), j);
	}
}

static int
save(struct job *j, const struct find *f, enum pbspool_trust trust)
{
	struct str key = key_of(&f->e->msgid);
	char name[NAME_SIZE];
	int r;

	(void)snprintf(name, sizeof(name), "%s.eml", f->id);
	r = write_message(j, f, name);
	if (r == -EBADMSG || r == -EUCLEAN) {
		j->where->len = 0;
		not_whole(j, f, trust, r);
		return 0;
	}
	if (r == -EEXIST) {
		fprintf(stderr, "pbspool: %s is there already: left as it is\n",
		    name);
		j->s->present++;
	} else if (r == 0) {
		(void)snprintf(name, sizeof(name), "%s.json", f->id);
		r = write_envelope(j, f, name);
		j->s->written++;
		if (r == 0 && !j->s->is_json) {
			printf(
			    "%s.eml: %s, %s\n", f->id, f->state, j->file->path);
		}
	}
	if (r == 0 || r == -EEXIST) {
		(void)map_put(j->written, key, j);
		(void)map_del(j->broken, key);
		r = 0;
	}
	return r;
}

static void
on_record(void *arg, const struct plog_record *rec, enum pbspool_trust trust)
{
	struct job *j = arg;
	struct find f = { .rec = rec };
	struct event_accepted e;

	if (j->error < 0 || rec->type != EVENT_accepted ||
	    event_decode(rec->type, rec->rec.p, rec->rec.len, &e) < 0) {
		return;
	}
	f.e = &e;
	f.m = pbspool_state_find(j->state, &e.msgid);
	f.state = state_of(j, &f, trust);
	uuid_print(&e.msgid, f.id);
	if (!is_wanted(j, &f)) {
		return;
	}
	if (j->s->ids != NULL) {
		/* the table lends its values: none is owned */
		(void)map_put(j->s->ids, key_of(&e.msgid),
		    (void *)(uintptr_t)PBSPOOL_FOUND);
	}
	if (map_get(j->written, key_of(&e.msgid)) == NULL) {
		j->error = save(j, &f, trust);
	}
}

/* ---- all segments ------------------------------------------------------- */

static int
salvage_segment(struct job *j, const struct pbspool_file *f)
{
	autoclose int fd = pbspool_files_open(j->s->files, f);
	const struct pbspool_segment *g =
	    pbspool_state_segment(j->state, f->id);
	struct pbspool_scan scan = { .fd = fd,
		.segid = f->id,
		.kind = PLOG_MAIL,
		.known = g != NULL ? g->off : 0,
		.record = on_record,
		.arg = j };
	int r;

	if (fd < 0) {
		buf_puts(j->where, f->path);
		return fd;
	}
	j->scan = &scan;
	j->file = f;
	r = pbspool_scan(&scan);
	if (r < 0) {
		buf_puts(j->where, f->path);
	}
	return r < 0 ? r : j->error;
}

/* Of live messages nothing was found: neither whole nor damaged. */
static void
find_lost(struct job *j)
{
	const struct pbspool_message *m;
	size_t at = 0;

	while ((m = pbspool_state_next(j->state, &at)) != NULL) {
		struct str key = key_of(&m->id);

		if (map_get(j->written, key) != NULL ||
		    (j->s->ids != NULL && map_get(j->s->ids, key) == NULL)) {
			continue;
		}
		(void)map_put(j->broken, key, j);
		if (j->s->ids != NULL) {
			(void)map_put(
			    j->s->ids, key, (void *)(uintptr_t)PBSPOOL_FOUND);
		}
	}
}

static void
tell_broken(struct job *j)
{
	struct uuid id;
	char text[UUID_TEXT_SIZE];
	struct str key;
	size_t at = 0;
	void *value;

	while (map_next(j->broken, &at, &key, &value)) {
		memcpy(id.b, key.p, sizeof(id.b));
		uuid_print(&id, text);
		fprintf(stderr,
		    "pbspool: %s: damaged; nowhere in the spool it is whole\n",
		    text);
	}
	j->s->broken = map_len(j->broken);
}

int
pbspool_salvage(struct pbspool_salvage *s, struct buf *where)
{
	struct pbspool_report silent = { .is_silent = true };
	struct job j = { .s = s, .where = where };
	size_t n;
	const struct pbspool_file *f =
	    pbspool_files_of(s->files, PBSPOOL_SEGMENT, &n);
	int r;

	j.state = pbspool_state_new();
	j.written = map_new();
	j.broken = map_new();
	r = pbspool_load(s->files, j.state, &silent, where);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = salvage_segment(&j, &f[i]);
	}
	if (r == 0) {
		find_lost(&j);
		tell_broken(&j);
	}
	if (r == 0 && fsync(s->out) < 0) {
		r = -errno;
		buf_puts(where, "the directory");
	}
	map_free(&j.broken, NULL);
	map_free(&j.written, NULL);
	pbspool_state_free(&j.state);
	return r;
}
