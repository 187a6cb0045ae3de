/* dsn_job: tells an envelope sender what became of his message. */
#include <errno.h>
#include <string.h>

#include "bouncer.h"
#include "clock.h"
#include "conf.h"
#include "dsn_write.h"
#include "log.h"
#include "service.h"
#include "smtp_param.h"

/* Content kept in memory: the header in the segment, and what may go back. */
#define CONTENT_MAX (4 * 1024 * 1024)

struct work {
	uint64_t job;
	uint64_t run;
	char id[UUID_TEXT_SIZE]; /* of the message it is about */
	char sender[256];
	const char *kind; /* as Postfix calls it */
};

static void
answer(uint64_t run, uint64_t job, int status)
{
	struct ipc_dsn_done m = { .job = job, .status = (uint32_t)-status };

	bouncer_tell_qmgr(run, IPC_dsn_done, &m);
}

static void
on_stored(void *arg, int status)
{
	struct work *w = arg;

	if (status < 0) {
		log_warn("%s: %s to=<%s> not written: %s", w->id, w->kind,
		    w->sender, strerror(-status));
	} else {
		log_info("%s: %s: to=<%s>", w->id, w->kind, w->sender);
	}
	answer(w->run, w->job, status);
	free(w);
}

static const char *
kind_of(enum dsn_action action)
{
	switch (action) {
	case DSN_DELAYED:
		return "sender delay notification";
	case DSN_RELAYED:
		return "sender delivery status notification";
	case DSN_FAILED:
		break;
	}
	return "sender non-delivery notification";
}

/* RFC 8689 section 5: then its reports need it too, and have headers only. */
static bool
needs_tls(const struct message *msg)
{
	return (msg->a.flags & MESSAGE_REQUIRETLS) != 0;
}

static void
send_notification(const struct ipc_dsn_job *m, const struct message *msg,
    struct dsn_output *dsn)
{
	struct work *w = mem_alloc(sizeof(*w));
	struct buf from = { 0 };
	struct own_mail mail = {
		.account = msg->a.account,
		.subaccount = msg->a.subaccount,
		.account_name = msg->a.account_name,
		.class = msg->a.class,
		.rcpt = msg->a.sender,
		.subject = str_of(dsn->subject),
		.message_id = str_of(dsn->message_id),
		.is_8bit = dsn->is_8bit,
		.is_utf8 = dsn->is_utf8,
		.needs_tls = needs_tls(msg),
	};

	w->job = m->job;
	w->kind = kind_of(dsn->action);
	w->run = bouncer_qmgr_run();
	uuid_print(&m->msgid, w->id);
	(void)str_safe(w->sender, sizeof(w->sender), msg->a.sender);
	buf_printf(&from, "MAILER-DAEMON@%s", bouncer_hostname());
	mail.header_from = buf_str(&from);
	own_mail_send(&mail, &dsn->content, on_stored, w);
	buf_fini(&from);
}

/* RFC 3461 section 6.1: never about a message without sender, and so never
 * about a notification. */
static bool
is_due(const struct message *msg)
{
	return msg->a.sender.len > 0 && msg->a.inbound == 0 &&
	    (msg->a.flags & MESSAGE_OWN_DSN) == 0 &&
	    memchr(msg->a.sender.p, '@', msg->a.sender.len) != NULL;
}

static int
notify(const struct ipc_dsn_job *m, const struct message *msg)
{
	struct dsn_input in = {
		.hostname = str_of(bouncer_hostname()),
		.id = uuid_random(),
		.msgid = m->msgid,
		.sender = msg->a.sender,
		.env_id = msg->a.env_id,
		.ret = needs_tls(msg) ? SMTP_RET_HDRS : msg->a.ret,
		.is_utf8 = (msg->a.flags & MESSAGE_UTF8) != 0,
		.is_whole = msg->is_whole,
		.now_us = clock_wall_us(),
		.arrival_us = msg->a.time_us,
		.expires_us = msg->a.expires_us != 0
		    ? msg->a.expires_us
		    : msg->a.time_us + conf()->queue_lifetime,
		.content = buf_str(&msg->content),
		.items = m->failures,
		.size_limit = conf()->bounce_size_limit,
	};
	struct dsn_output dsn;
	int e = dsn_write(&in, &dsn);

	if (e == 0) {
		send_notification(m, msg, &dsn);
	}
	buf_fini(&dsn.content);
	return e;
}

void
dsn_on_job(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_dsn_job *m = msg;
	struct message_place place = { m->msgid, m->segid, m->rec_off,
		m->content_off, m->content_len, m->content_crc };
	struct message about;
	char text[UUID_TEXT_SIZE];
	int e;

	(void)p;
	(void)id;
	/* a big body never goes back: its header is in the segment */
	e = message_load(&place, 0, CONTENT_MAX, &about);
	if (e == 0) {
		message_unstuff(&about);
		if (!is_due(&about)) {
			answer(bouncer_qmgr_run(), m->job, 0);
		} else {
			e = notify(m, &about);
		}
		message_fini(&about);
	}
	if (e < 0) {
		uuid_print(&m->msgid, text);
		log_error("%s: no notification to its sender: %s", text,
		    strerror(-e));
		/* Damage does not heal; without it there is nothing to say. */
		answer(bouncer_qmgr_run(), m->job,
		    e == -EBADMSG || e == -ENODATA ? 0 : e);
	}
}
