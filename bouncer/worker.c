#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bounce_cf.h"
#include "bouncer.h"
#include "conf.h"
#include "log.h"
#include "passed_files.h"
#include "report.h"
#include "segments.h"
#include "service.h"

static char hostname[256];
static unsigned n_begun;
static bool is_draining;
static uint64_t qmgr_run;
static struct reply_rules *rules;

const char *
bouncer_hostname(void)
{
	return hostname;
}

void
bouncer_begin(void)
{
	n_begun++;
}

void
bouncer_end(void)
{
	bug_on(n_begun == 0);
	n_begun--;
	if (is_draining && n_begun == 0) {
		service_exit();
	}
}

uint64_t
bouncer_qmgr_run(void)
{
	return qmgr_run;
}

void
bouncer_tell_qmgr(uint64_t run, enum ipc_type type, const void *m)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);

	if (qmgr != NULL && run == qmgr_run) {
		/* when it is gone the next one asks again */
		(void)peer_send(qmgr, type, 0, m);
	}
}

static void
on_file(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_file *m = msg;
	int fd = peer_take_fd(p);

	(void)id;
	if (fd >= 0) {
		passed_files_add(m->segid, m->is_big != 0, fd);
	}
}

static void
on_file_drop(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_file_drop *m = msg;

	(void)p;
	(void)id;
	passed_files_drop(m->segid, m->is_big != 0);
}

void
worker_init(void)
{
	struct buf error = { 0 };

	str_copy(hostname, sizeof(hostname), str_of(conf()->myhostname));
	if (hostname[0] == '\0' &&
	    gethostname(hostname, sizeof(hostname) - 1) < 0) {
		fatal("myhostname is not set and the system has no name");
	}
	if (bounce_cf_load(conf()->dir, &rules, &error) < 0) {
		fatal("%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
	report_init();
	report_use_rules(rules);
}

void
worker_peer_up(struct peer *p)
{
	if (peer_role(p) == ROLE_ACCOUNTD) {
		alert_mail_peer_up();
	} else if (peer_role(p) == ROLE_QMGR) {
		qmgr_run++;
		if (n_begun == 0) {
			passed_files_fini(); /* this one passes its own */
		}
		segments_tell(p);
	}
}

void
worker_drain(void)
{
	is_draining = true;
	if (n_begun == 0) {
		service_exit();
	}
}

void
worker_stop(void)
{
	is_draining = false; /* the end is decided */
	writer_stop();
	passed_files_fini();
	report_use_rules(NULL);
	report_exit();
	reply_rules_free(&rules);
}

const struct peer_handler worker_handlers[] = {
	{ IPC_file, on_file },
	{ IPC_file_drop, on_file_drop },
	{ IPC_report_job, reports_on_job },
	{ IPC_dsn_job, dsn_on_job },
	{ IPC_alert_mail_req, alert_mail_on_req },
	{ 0, NULL },
};
