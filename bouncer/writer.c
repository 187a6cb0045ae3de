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
#include "plog.h"
#include "segments.h"
#include "service.h"

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

static struct own *parked, **parked_tail = &parked;

static void store(struct own *o);

/* Those that waited for a segment go on; without one they stay. */
static void
on_arrived(int status)
{
	struct own *list = parked;

	if (status < 0) {
		return;
	}
	parked = NULL;
	parked_tail = &parked;
	while (list != NULL) {
		struct own *o = list;

		list = o->next;
		store(o);
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

	if (plog_writer_next(segments_log(), &place.segid, &place.index) < 0) {
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
		e = plog_append(segments_log(), EVENT_accepted, record.p,
		    record.len, &iov, 1, on_stored, o);
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
	    (m->is_8bit ? MESSAGE_8BIT : 0) | (m->is_utf8 ? MESSAGE_UTF8 : 0) |
	    (m->needs_tls ? MESSAGE_REQUIRETLS : 0);
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
	/* A segment is asked for with the first message: most instances never
	 * write one. */
	segments_start(
	    &(struct segments_config){ .file_size = conf()->segment_size,
		.timeout_us = conf()->bouncer_service_timeout,
		.arrived = on_arrived });
}

void
writer_stop(void)
{
	segments_stop();
	while (parked != NULL) {
		struct own *o = parked;

		parked = o->next;
		finish(o, -ECANCELED);
	}
	parked_tail = &parked;
}
