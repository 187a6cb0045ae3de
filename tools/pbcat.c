/* pbcat(1): one message, as it is in the spool. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "client.h"
#include "event.h"
#include "event_json.h"
#include "json_put.h"
#include "plog.h"
#include "uuid.h"

static const char usage[] = "usage: pbcat [-c DIR] [--json] [-beh] ID...\n";

/* A message found in the spool. */
struct found {
	int fd;
	uint64_t segid;
	struct buf record;
	struct plog_record rec;
	struct event_accepted event;
};

/* What is asked for. */
struct parts {
	bool envelope;
	bool header;
	bool body;
};

/* ---- finding ------------------------------------------------------------ */

static int
open_in_spool(const char *path)
{
	autofree char *full = NULL;

	if (asprintf(&full, "%s/%s", client_conf()->spool_directory, path) <
	    0) {
		client_die(EX_OSERR, "out of memory");
	}
	return open(full, O_RDONLY | O_CLOEXEC);
}

static bool
take_event(struct found *f, const struct uuid *id)
{
	return f->rec.type == EVENT_accepted &&
	    event_decode(
		f->rec.type, f->rec.rec.p, f->rec.rec.len, &f->event) == 0 &&
	    uuid_eq(&f->event.msgid, id);
}

/* Reads on to the record with the number that the id tells. */
static bool
find_record(struct found *f, const struct uuid *id, uint32_t index)
{
	struct plog_reader r = { 0 };
	bool is_found = false;
	int e = plog_reader_init(&r, f->fd);

	while (e == 0 && !is_found) {
		e = plog_reader_batch(&r, UINT64_MAX);
		if (e == -EUCLEAN) {
			e = plog_reader_skip(&r) != 0 ? 0 : -EBADMSG;
			continue;
		}
		if (e != 1) {
			break;
		}
		e = 0;
		while (!is_found && plog_reader_record(&r, &f->rec)) {
			if (f->rec.index == index) {
				buf_add(
				    &f->record, f->rec.rec.p, f->rec.rec.len);
				f->rec.rec = buf_str(&f->record);
				is_found = take_event(f, id);
			}
		}
	}
	plog_reader_fini(&r);
	return is_found;
}

/* Where the message was first: most are there all their life. */
static bool
find_first_place(struct found *f, const struct uuid *id)
{
	struct uuid_place place = uuid_place(id);
	char name[SEGMENT_NAME_SIZE];
	char path[SEGMENT_NAME_SIZE + 16];

	segment_name(place.segid, name);
	(void)snprintf(path, sizeof(path), "msg/%u/%s",
	    (unsigned)(place.segid >> 56), name);
	f->segid = place.segid;
	f->fd = open_in_spool(path);
	if (f->fd < 0 && errno == EACCES) {
		client_die(EX_NOPERM, "%s: %s", path, strerror(errno));
	}
	if (f->fd < 0 || !find_record(f, id, place.index)) {
		if (f->fd >= 0) {
			(void)close(f->fd);
			f->fd = -1;
		}
		return false;
	}
	return true;
}

static void
keep_line(json_t *line, void *arg)
{
	json_t **kept = arg;

	json_decref(*kept);
	*kept = json_incref(line);
}

/* qmgr has moved it: it knows where to. */
static bool
find_by_qmgr(struct found *f, const char *text, const struct uuid *id)
{
	json_t *args = json_object();
	json_t *line = NULL;
	struct plog_record rec;
	bool is_found = false;

	json_object_set_new(args, "id", json_string(text));
	if (client_call("qmgr", "queue.where", args, keep_line, &line) !=
		EX_OK ||
	    line == NULL) {
		json_decref(line);
		return false;
	}
	f->fd = open_in_spool(client_str(line, "segment"));
	f->record.len = 0;
	if (f->fd >= 0) {
		struct plog_reader r;

		if (plog_reader_init(&r, f->fd) == 0) {
			f->segid = r.segid;
			plog_reader_fini(&r);
		}
		is_found = plog_read_record(f->fd, f->segid,
			       (uint64_t)client_int(line, "offset"), &f->record,
			       &rec) == 0;
	}
	if (is_found) {
		f->rec = rec;
		f->rec.content_off =
		    (uint64_t)client_int(line, "content_offset");
		is_found = take_event(f, id);
	}
	json_decref(line);
	return is_found;
}

/* "until-segment.idx" of those that are kept now, into the number and name. */
static bool
parse_kept_name(const char *name, char *base, size_t size)
{
	uint64_t until_s;
	uint64_t segid;
	char rest[8];

	if (sscanf(name, "%10" SCNx64 "-%16" SCNx64 "%7s", &until_s, &segid,
		rest) != 3 ||
	    strcmp(rest, ".idx") != 0 || until_s <= (uint64_t)time(NULL)) {
		return false;
	}
	(void)snprintf(
	    base, size, "keep/%010" PRIx64 "-%016" PRIx64, until_s, segid);
	return true;
}

/* The line of the index that begins with the id: two offsets. */
static bool
find_in_index(
    const char *base, const char *id, uint64_t *off, uint64_t *content_off)
{
	char path[64];
	char line[128];
	size_t n = strlen(id);
	bool is_found = false;
	FILE *f;
	int fd;

	(void)snprintf(path, sizeof(path), "%s.idx", base);
	fd = open_in_spool(path);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	while (f != NULL && !is_found && fgets(line, sizeof(line), f) != NULL) {
		is_found = strncmp(line, id, n) == 0 &&
		    sscanf(line + n, " %" SCNu64 " %" SCNu64, off,
			content_off) == 2;
	}
	if (f != NULL) {
		(void)fclose(f);
	}
	return is_found;
}

static bool
open_kept(struct found *f, const char *base, const struct uuid *id,
    uint64_t off, uint64_t content_off)
{
	struct plog_reader r;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s.seg", base);
	f->fd = open_in_spool(path);
	if (f->fd < 0 || plog_reader_init(&r, f->fd) < 0) {
		return false;
	}
	f->segid = r.segid;
	plog_reader_fini(&r);
	if (plog_read_record(f->fd, f->segid, off, &f->record, &f->rec) < 0) {
		return false;
	}
	f->rec.content_off = content_off;
	return take_event(f, id);
}

/* Its account keeps it for audits. */
static bool
find_kept(struct found *f, const struct uuid *id)
{
	char text[UUID_TEXT_SIZE];
	int fd = open_in_spool("keep");
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	bool is_found = false;
	uint64_t content_off;
	uint64_t off;
	struct dirent *e;
	char base[48];

	uuid_print(id, text);
	while (d != NULL && !is_found && (e = readdir(d)) != NULL) {
		is_found = parse_kept_name(e->d_name, base, sizeof(base)) &&
		    find_in_index(base, text, &off, &content_off) &&
		    open_kept(f, base, id, off, content_off);
	}
	if (d != NULL) {
		(void)closedir(d);
	}
	return is_found;
}

/* A large message that is kept: keep/until-number.msg. */
static int
open_kept_big(uint64_t number)
{
	int fd = open_in_spool("keep");
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	char own[32];
	int found = -1;

	(void)snprintf(own, sizeof(own), "-%016" PRIx64 ".msg", number);
	while (d != NULL && found < 0 && (e = readdir(d)) != NULL) {
		if (strlen(e->d_name) > 10 &&
		    strcmp(e->d_name + 10, own) == 0) {
			found =
			    openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		}
	}
	if (d != NULL) {
		(void)closedir(d);
	}
	return found;
}

/* ---- printing ----------------------------------------------------------- */

/* The stored form back to lines: no stuffed dots, no CR; one part or both. */
struct lines {
	const struct parts *parts;
	struct buf *header; /* for JSON; NULL: to standard output */
	struct buf *body;
	bool is_body;
	bool is_line_begun;
	bool is_cr;
	bool is_dot_gone; /* the dot that was added at this line's beginning */
};

static void
put_byte(struct lines *l, char c)
{
	struct buf *to = l->is_body ? l->body : l->header;

	if (l->is_body ? !l->parts->body : !l->parts->header) {
		return;
	}
	if (to != NULL) {
		buf_u8(to, (uint8_t)c);
	} else {
		putchar(c);
	}
}

static void
end_line(struct lines *l)
{
	bool was_empty = !l->is_line_begun;

	l->is_line_begun = false;
	if (!l->is_body && was_empty) {
		/* The empty line shows only between both. */
		if (l->parts->header && l->parts->body && l->header == NULL) {
			put_byte(l, '\n');
		}
		l->is_body = true;
		return;
	}
	put_byte(l, '\n');
}

static void
put_content(struct lines *l, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (l->is_cr && p[i] != '\n') {
			put_byte(l, '\r');
		}
		l->is_cr = false;
		if (p[i] == '\n') {
			end_line(l);
			l->is_dot_gone = false;
		} else if (p[i] == '\r') {
			l->is_cr = true;
		} else if (p[i] == '.' && !l->is_line_begun &&
		    !l->is_dot_gone) {
			l->is_dot_gone = true; /* stuffed */
		} else {
			l->is_line_begun = true;
			put_byte(l, p[i]);
		}
	}
}

static void
put_big_file(const struct found *f, struct lines *l)
{
	char path[32];
	static char piece[64 * 1024];
	autoclose int fd = -1;
	ssize_t n;

	(void)snprintf(
	    path, sizeof(path), "big/%016" PRIx64 ".msg", f->event.big_file);
	fd = open_in_spool(path);
	if (fd < 0 && errno == ENOENT) {
		fd = open_kept_big(f->event.big_file);
	}
	if (fd < 0) {
		client_die(EX_NOINPUT, "%s: %s", path, strerror(errno));
	}
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		put_content(l, piece, (size_t)n);
	}
	if (n < 0) {
		client_die(EX_IOERR, "%s: %s", path, strerror(errno));
	}
}

static void
put_message(const struct found *f, struct lines *l)
{
	autofree char *p = malloc(f->rec.content_len + 1);
	int r;

	if (p == NULL) {
		client_die(EX_OSERR, "out of memory");
	}
	r = plog_read_content(f->fd, f->segid, f->rec.content_off, p,
	    f->rec.content_len, f->rec.content_crc);
	if (r < 0) {
		client_die(EX_DATAERR, "the stored message is damaged: %s",
		    strerror(-r));
	}
	put_content(l, p, f->rec.content_len);
	if (f->event.big_file != 0) {
		put_big_file(f, l);
	}
}

static void
print_text(const char *name, struct str s)
{
	char safe[1100];

	if (s.len != 0) {
		printf("%s: %s\n", name, str_safe(safe, sizeof(safe), s));
	}
}

static void
print_time(const char *name, uint64_t us)
{
	char text[JSON_TIME_SIZE];

	if (us != 0) {
		json_time(us, text);
		printf("%s: %s\n", name, text);
	}
}

static void
print_envelope(const struct event_accepted *e)
{
	struct str rest = e->rcpts;
	struct event_rcpt r;
	char id[UUID_TEXT_SIZE];

	uuid_print(&e->msgid, id);
	printf("message_id: %s\n", id);
	print_time("accepted", e->time_us);
	print_time("expires", e->expires_us);
	print_time("not_before", e->not_before_us);
	print_text("account", e->account_name);
	printf("class: %s\n",
	    e->class <= CLASS_DIGEST
		? mail_class_name((enum mail_class)e->class)
		: "unknown");
	printf("size: %u\n", e->size);
	print_text("tags", e->tags);
	print_text("metadata", e->metadata);
	print_text("sign_domain", e->sign_domain);
	print_text("return_domain", e->return_domain);
	print_text("client", e->submit_client_ip);
	print_text("protocol", e->submit_proto);
	printf("sender: ");
	fwrite(
	    e->sender.p != NULL ? e->sender.p : "", 1, e->sender.len, stdout);
	putchar('\n');
	while (event_rcpt_next(&rest, &r)) {
		print_text(r.notify & RCPT_BLOCKED ? "suppressed_recipient"
						   : "recipient",
		    r.address);
	}
}

static void
print_json(const struct found *f, const struct parts *parts)
{
	struct event_view v = { .type = EVENT_accepted, .event = &f->event };
	struct buf header = { 0 };
	struct buf body = { 0 };
	struct buf envelope = { 0 };
	struct buf out = { 0 };
	struct lines l = { .parts = parts, .header = &header, .body = &body };

	json_put_open(&out, NULL, '{');
	if (parts->envelope) {
		event_json_line(&envelope, &v);
		json_put_object_text(&out, "envelope", buf_str(&envelope));
	}
	if (parts->header || parts->body) {
		put_message(f, &l);
	}
	if (parts->header) {
		json_put_str(&out, "header", buf_str(&header));
	}
	if (parts->body) {
		json_put_str(&out, "body", buf_str(&body));
	}
	json_put_close(&out, '}');
	(void)fwrite(out.p, 1, out.len, stdout);
	putchar('\n');
	buf_fini(&header);
	buf_fini(&body);
	buf_fini(&envelope);
	buf_fini(&out);
}

static int
cat(const char *text, const struct parts *parts)
{
	struct found f = { .fd = -1 };
	struct lines l = { .parts = parts };
	struct uuid id;

	if (uuid_parse(str_of(text), &id) < 0) {
		client_die(EX_DATAERR, "%s: not a message id", text);
	}
	if (!find_first_place(&f, &id) && !find_by_qmgr(&f, text, &id) &&
	    !find_kept(&f, &id)) {
		if (client_is_down()) {
			fprintf(stderr, "pbcat: %s: not found in the spool\n",
			    text);
		}
		return EX_NOINPUT;
	}
	if (client_wants_json()) {
		print_json(&f, parts);
	} else {
		if (parts->envelope) {
			print_envelope(&f.event);
		}
		if (parts->header || parts->body) {
			if (parts->envelope) {
				putchar('\n');
			}
			put_message(&f, &l);
		}
	}
	buf_fini(&f.record);
	(void)close(f.fd);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	struct parts parts = { 0 };
	int status = EX_OK;
	int c;

	client_init(&argc, argv, usage);
	while ((c = getopt(argc, argv, "beh")) != -1) {
		parts.body = parts.body || c == 'b';
		parts.envelope = parts.envelope || c == 'e';
		parts.header = parts.header || c == 'h';
		if (c == '?') {
			client_usage(NULL);
		}
	}
	if (!parts.body && !parts.envelope && !parts.header) {
		parts = (struct parts){ true, true, true };
	}
	if (optind == argc) {
		client_usage("which message?");
	}
	for (int i = optind; i < argc; i++) {
		int r = cat(argv[i], &parts);

		status = r != EX_OK ? r : status;
	}
	if (fflush(stdout) != 0) {
		client_die(EX_IOERR, "standard output: %s", strerror(errno));
	}
	return status;
}
