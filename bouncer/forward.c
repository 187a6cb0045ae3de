#include <errno.h>
#include <string.h>

#include "bouncer.h"
#include "clock.h"
#include "conf.h"
#include "header.h"
#include "log.h"
#include "service.h"

/* A message that has this was forwarded by a Packetboat before. */
#define MARK "X-Packetboat-Forwarded"

struct work {
	char id[UUID_TEXT_SIZE];
	own_mail_fn *fn;
	void *arg;
};

bool
forward_is_loop(struct str header, size_t max_hops)
{
	struct header_field f;

	return header_find(header.p, header.len, MARK, &f) ||
	    header_count(header.p, header.len, "Received") > max_hops;
}

static void
on_stored(void *arg, int status)
{
	struct work *w = arg;

	if (status < 0) {
		log_warn("%s: not forwarded: %s", w->id, strerror(-status));
	}
	w->fn(w->arg, status);
	free(w);
}

static void
send_on(const char *id, struct message *msg, const struct forward *f,
    own_mail_fn *fn, void *arg)
{
	struct work *w = mem_alloc(sizeof(*w));
	struct buf content = { 0 };
	char date[DATE_SIZE], to[256];
	struct own_mail mail = {
		.account = f->account,
		.subaccount = f->subaccount,
		.account_name = f->account_name,
		.class = CLASS_STANDARD,
		.rcpt = f->to,
		.header_from = msg->a.header_from,
		.subject = msg->a.subject,
		.message_id = msg->a.message_id,
		.is_8bit = (msg->a.flags & MESSAGE_8BIT) != 0,
		.is_utf8 = (msg->a.flags & MESSAGE_UTF8) != 0,
		.is_stuffed = true,
		.has_no_dots = (msg->a.flags & MESSAGE_NODOTS) != 0,
	};

	str_copy(w->id, sizeof(w->id), str_of(id));
	w->fn = fn;
	w->arg = arg;
	buf_printf(&content, "Received: by %s (Packetboat) id %s; %s\r\n",
	    bouncer_hostname(), id, date_print(clock_wall_us(), date));
	buf_printf(&content, MARK ": %s\r\n", bouncer_hostname());
	buf_add(&content, msg->content.p, msg->content.len);
	log_info(
	    "%s: forwarded to=<%s>", id, str_safe(to, sizeof(to), mail.rcpt));
	own_mail_send(&mail, &content, on_stored, w);
	buf_fini(&content);
}

/* Says why a message stays; the reader of the log is all that sees it. */
static void
drop(const char *id, const struct message *msg, const char *why)
{
	char from[256], subject[128];

	log_info("%s: from=<%s>, subject=%s, not forwarded: %s", id,
	    str_safe(from, sizeof(from), msg->a.sender),
	    str_safe(subject, sizeof(subject), msg->a.subject), why);
}

void
forward_send(const struct message_place *p, const struct forward *f,
    own_mail_fn *fn, void *arg)
{
	struct message msg;
	struct str header;
	char id[UUID_TEXT_SIZE];
	int e = message_load(p, SIZE_MAX, conf()->mx_forward_size_limit, &msg);

	uuid_print(&p->msgid, id);
	if (e < 0) {
		log_error("%s: not forwarded: %s", id,
		    e == -EFBIG ? "larger than mx_forward_size_limit"
				: strerror(-e));
		fn(arg, 0);
		return;
	}
	header.p = (const char *)msg.content.p;
	header.len = header_block_len(header.p, msg.content.len);
	if (f->to.len == 0) {
		drop(id, &msg, "there is nowhere to send it to");
		fn(arg, 0);
	} else if (forward_is_loop(header, conf()->hopcount_limit)) {
		drop(id, &msg, "it goes round in circles");
		fn(arg, 0);
	} else {
		send_on(id, &msg, f, fn, arg);
	}
	message_fini(&msg);
}
