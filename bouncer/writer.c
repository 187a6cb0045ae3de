/*
 * Our own segments: what we write is accepted mail like any other, and qmgr
 * takes it in from there.
 */
#include <errno.h>
#include <string.h>

#include "bouncer.h"
#include "clock.h"
#include "conf.h"
#include "data_scan.h"
#include "log.h"
#include "loop.h"
#include "plog.h"
#include "service.h"
#include "spool.h"

#define BATCH_BYTES (1024 * 1024)
#define BATCH_RECORDS 256

/* How soon master is asked again after it had no file. */
#define RETRY_US US_PER_S

/* Segments a new qmgr is told about; it finds older ones by itself. */
#define TOLD_MAX 64

/* How far a segment is durable. */
struct reach {
	uint64_t segid;
	uint64_t off;
	bool is_sealed;
};

/* A message on its way to the disk. */
struct own {
	struct own *next; /* among those without a segment */
	struct buf content;
	struct event_accepted e; /* texts point behind */
	struct buf rcpts;
	own_mail_fn *fn;
	void *arg;
	char texts[];
};

static struct plog_writer *writer;
static struct reach reaches[TOLD_MAX];
static size_t n_reaches;
static struct loop_timer *retry;
static uint32_t call;
static bool is_failing; /* the last request failed; said so once */
static struct own *parked, **parked_tail = &parked;

static void ask_file(void);
static void store(struct own *o);

/* ---- files -------------------------------------------------------------- */

static void
no_file(const char *why)
{
	if (!is_failing) {
		log_warn("no spool segment from master: %s", why);
	}
	is_failing = true;
	loop_timer_arm(retry, RETRY_US);
}

static void
unpark(void)
{
	struct own *list = parked;

	parked = NULL;
	parked_tail = &parked;
	while (list != NULL) {
		struct own *o = list;

		list = o->next;
		store(o);
	}
}

static void
got_file(void *arg, enum ipc_type type, const void *m)
{
	const struct ipc_file_rep *rep = m;
	int fd;

	(void)arg;
	call = 0;
	if (type != IPC_file_rep || rep == NULL) {
		no_file("no answer");
		return;
	}
	if (rep->status != 0) {
		no_file(strerror((int)rep->status));
		return;
	}
	fd = peer_take_fd(service_master());
	if (fd < 0) {
		no_file("no descriptor");
		return;
	}
	is_failing = false;
	plog_writer_add_file(writer, fd, rep->segid);
	unpark();
}

static void
on_retry(void *arg)
{
	(void)arg;
	ask_file();
}

static void
ask_file(void)
{
	struct ipc_file_req req = { .kind = SPOOL_SEGMENT };

	if (call == 0 &&
	    peer_call(service_master(), IPC_file_req, &req, -1,
		conf()->bouncer_service_timeout, got_file, NULL, &call) < 0) {
		loop_timer_arm(retry, RETRY_US);
	}
}

static void
on_need_file(void *arg)
{
	(void)arg;
	ask_file();
}

/* ---- the doorbell ------------------------------------------------------- */

static void
send_reach(struct peer *qmgr, const struct reach *r)
{
	struct ipc_durable m = {
		.segid = r->segid, .off = r->off, .is_sealed = r->is_sealed
	};

	/* A qmgr that is gone is told when there is a new one. */
	(void)peer_send(qmgr, IPC_durable, 0, &m);
}

void
writer_tell(struct peer *qmgr)
{
	for (size_t i = 0; i < n_reaches; i++) {
		send_reach(qmgr, &reaches[i]);
	}
}

static void
on_durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	size_t i = n_reaches;

	(void)arg;
	/* The newest are at the end. */
	while (i > 0 && reaches[i - 1].segid != segid) {
		i--;
	}
	if (i == 0) {
		if (n_reaches == TOLD_MAX) {
			memmove(reaches, reaches + 1,
			    (TOLD_MAX - 1) * sizeof(reaches[0]));
			n_reaches--;
		}
		i = ++n_reaches;
	}
	reaches[i - 1] = (struct reach){ segid, off, is_sealed };
	if (qmgr != NULL) {
		send_reach(qmgr, &reaches[i - 1]);
	}
}

/* ---- messages ----------------------------------------------------------- */

static void
finish(struct own *o, int status)
{
	o->fn(o->arg, status);
	buf_fini(&o->content);
	buf_fini(&o->rcpts);
	free(o);
	bouncer_end();
}

static void
on_stored(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct own *o = arg;
	char id[UUID_TEXT_SIZE], mid[256], to[256];

	(void)segid;
	(void)off;
	if (status == 0) {
		uuid_print(&o->e.msgid, id);
		log_info("%s: message-id=%s", id,
		    str_safe(mid, sizeof(mid), o->e.message_id));
		log_info("%s: from=<>, size=%u, nrcpt=1 (queue active), "
			 "to=<%s>",
		    id, (unsigned)o->e.size,
		    str_safe(to, sizeof(to), str_of(o->texts)));
	}
	finish(o, status);
}

static void
store(struct own *o)
{
	struct iovec iov = { o->content.p, o->content.len };
	struct uuid_place place;
	struct buf record = { 0 };
	int e;

	if (plog_writer_next(writer, &place.segid, &place.index) < 0) {
		o->next = NULL;
		*parked_tail = o;
		parked_tail = &o->next;
		return;
	}
	o->e.time_us = clock_wall_us();
	o->e.expires_us = o->e.time_us + conf()->queue_lifetime;
	o->e.msgid = uuid_make(o->e.time_us, place);
	e = event_encode(&record, EVENT_accepted, &o->e);
	if (e == 0) {
		e = plog_append(writer, EVENT_accepted, record.p, record.len,
		    &iov, 1, on_stored, o);
	}
	buf_fini(&record);
	if (e < 0) {
		finish(o, e);
	}
}

static struct str
keep(char **to, struct str s, size_t max)
{
	size_t n = s.len < max ? s.len : max;
	struct str kept = { *to, n };

	if (n > 0) {
		memcpy(*to, s.p, n);
	}
	(*to)[n] = '\0';
	*to += n + 1;
	return kept;
}

static void
stuff(struct own *o, struct buf *content)
{
	struct data_stuff st = { 0 };
	char *to =
	    (char *)buf_reserve(&o->content, data_stuff_bound(content->len));

	o->content.len =
	    data_stuff(&st, (const char *)content->p, content->len, to);
	buf_fini(content);
}

void
own_mail_send(
    const struct own_mail *m, struct buf *content, own_mail_fn *fn, void *arg)
{
	struct own *o = mem_alloc(sizeof(*o) + 4096);
	struct event_rcpt r = { .notify = RCPT_NOTIFY_NEVER };
	bool has_no_dots = m->has_no_dots;
	char *to = o->texts;

	if (m->is_stuffed) {
		buf_move(&o->content, content);
	} else {
		size_t before = content->len;

		stuff(o, content);
		has_no_dots = o->content.len == before;
	}
	r.address = keep(&to, m->rcpt, 1024);
	event_rcpt_add(&o->rcpts, &r);
	o->e.account = m->account;
	o->e.subaccount = m->subaccount;
	o->e.account_name = keep(&to, m->account_name, 254);
	o->e.class = m->class;
	o->e.flags = MESSAGE_OWN_DSN | (has_no_dots ? MESSAGE_NODOTS : 0) |
	    (m->is_8bit ? MESSAGE_8BIT : 0) | (m->is_utf8 ? MESSAGE_UTF8 : 0);
	o->e.header_from = keep(&to, m->header_from, 320);
	o->e.subject = keep(&to, m->subject, 512);
	o->e.message_id = keep(&to, m->message_id, 998);
	o->e.size = (uint32_t)o->content.len;
	o->e.nrcpt = 1;
	o->e.rcpts = buf_str(&o->rcpts);
	o->fn = fn;
	o->arg = arg;
	bouncer_begin();
	store(o);
}

/* ---- life --------------------------------------------------------------- */

void
writer_start(void)
{
	struct plog_config c = {
		.kind = PLOG_MAIL,
		.file_size = conf()->segment_size,
		.batch_bytes = BATCH_BYTES,
		.batch_records = BATCH_RECORDS,
		.need_file = on_need_file,
		.durable = on_durable,
	};

	/* A segment is asked for with the first message: most instances never
	 * write one. */
	retry = loop_timer_new(on_retry, NULL);
	writer = plog_writer_new(&c);
}

void
writer_stop(void)
{
	struct peer *master = service_master();

	if (master != NULL) {
		peer_call_cancel(master, call);
	}
	call = 0;
	plog_writer_free(&writer);
	while (parked != NULL) {
		struct own *o = parked;

		parked = o->next;
		finish(o, -ECANCELED);
	}
	loop_timer_free(&retry);
	parked_tail = &parked;
	n_reaches = 0;
	is_failing = false;
}
