/* alert_mail_req: a mail about an alert, to whom the account names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bouncer.h"
#include "clock.h"
#include "conf.h"
#include "log.h"
#include "service.h"

struct work {
	uint64_t run; /* of accountd's channel; another one asks again */
	uint32_t id;
	char name[65];
	char contact[321];
};

static uint64_t accountd_run;

void
alert_mail_peer_up(void)
{
	accountd_run++;
}

static void
on_stored(void *arg, int status)
{
	struct work *w = arg;
	struct peer *accountd = service_peer(ROLE_ACCOUNTD, 0);
	const struct ipc_alert_mail_rep m = { .status = (uint32_t)-status };

	if (status < 0) {
		log_warn("alert %s to=<%s> is not written: %s", w->name,
		    w->contact, strerror(-status));
	} else {
		log_info("alert %s: to=<%s>", w->name, w->contact);
	}
	if (accountd != NULL && w->run == accountd_run) {
		(void)peer_send(accountd, IPC_alert_mail_rep, w->id, &m);
	}
	free(w);
}

static const char *
of_account(const char *name)
{
	return name[0] != '\0' ? name : "the system";
}

/* RFC 5322, and RFC 3834: nobody shall answer it. All texts are plain ASCII
 * without controls. */
static void
write_content(const struct ipc_alert_mail_req *m, const struct work *w,
    const char *message_id, struct buf *subject, struct buf *out)
{
	char text[1025];
	char account[255];
	char date[DATE_SIZE];

	(void)str_safe(text, sizeof(text), m->text);
	(void)str_safe(account, sizeof(account), m->account);
	buf_printf(subject, "[Packetboat] %s: %s%s", of_account(account),
	    w->name, m->is_over != 0 ? " is over" : "");
	buf_printf(out, "Date: %s\r\n", date_print(clock_wall_us(), date));
	buf_printf(
	    out, "From: Packetboat <MAILER-DAEMON@%s>\r\n", bouncer_hostname());
	buf_printf(out, "To: <%s>\r\n", w->contact);
	buf_printf(out, "Subject: %.*s\r\n", STR_ARG(buf_str(subject)));
	buf_printf(out, "Message-ID: <%s>\r\n", message_id);
	buf_puts(out,
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii; format=flowed\r\n"
	    "\r\n");
	/* A line may have 998 bytes (RFC 5322 section 2.1.1), a text 1024. */
	buf_printf(out, "%.900s\r\n\r\n", text);
	buf_printf(out,
	    "Account: %s\r\nAlert:   %s\r\nState:   %s\r\n"
	    "Time:    %s\r\nHost:    %s\r\n",
	    of_account(account), w->name, m->is_over != 0 ? "over" : "on",
	    date_print(m->time_us, date), bouncer_hostname());
}

void
alert_mail_on_req(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_alert_mail_req *m = msg;
	struct work *w = mem_alloc(sizeof(*w));
	const struct uuid unique = uuid_random();
	char unique_text[UUID_TEXT_SIZE];
	struct buf message_id = { 0 };
	struct buf from = { 0 };
	struct buf subject = { 0 };
	struct buf content = { 0 };
	struct own_mail mail = { .class = CLASS_PRIORITY };

	(void)p;
	w->run = accountd_run;
	w->id = id;
	(void)str_safe(w->name, sizeof(w->name), m->name);
	(void)str_safe(w->contact, sizeof(w->contact), m->contact);
	uuid_print(&unique, unique_text);
	buf_printf(&message_id, "%s@%s", unique_text, bouncer_hostname());
	buf_u8(&message_id, '\0');
	buf_printf(&from, "MAILER-DAEMON@%s", bouncer_hostname());
	write_content(m, w, (const char *)message_id.p, &subject, &content);
	/* Of no account: its pause or quota does not hold it back. */
	mail.rcpt = str_of(w->contact);
	mail.header_from = buf_str(&from);
	mail.subject = buf_str(&subject);
	mail.message_id =
	    (struct str){ (const char *)message_id.p, message_id.len - 1 };
	own_mail_send(&mail, &content, on_stored, w);
	buf_fini(&message_id);
	buf_fini(&from);
	buf_fini(&subject);
}
