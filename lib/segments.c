#include "segments.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
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
#define TOLD_MAX 4096

/* How far a segment is durable. */
struct reach {
	uint64_t segid;
	uint64_t off;
	bool is_sealed;
	bool is_news; /* qmgr was not told yet */
};

static struct segments_config config;
static struct plog_writer *writer;
static struct reach reaches[TOLD_MAX];
static size_t n_reaches;
static struct loop_defer tell;
static struct loop_timer *retry;
static uint32_t call;
static bool is_failing; /* the last request failed; said so once */

static void ask_file(void);
static void on_durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed);

/* ---- files -------------------------------------------------------------- */

static void
no_file(const char *why)
{
	if (!is_failing) {
		log_warn("no spool segment from master: %s", why);
	}
	is_failing = true;
	loop_timer_arm(retry, RETRY_US);
	config.arrived(-EIO);
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
	/* Named before it is written to, so that qmgr believes no more of it
	 * than what we vouch for. */
	on_durable(NULL, rep->segid, 0, false);
	plog_writer_add_file(writer, fd, rep->segid);
	config.arrived(0);
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
		config.timeout_us, got_file, NULL, &call) < 0) {
		loop_timer_arm(retry, RETRY_US);
	}
}

static void
on_need_file(void *arg)
{
	(void)arg;
	ask_file();
}

bool
segments_is_waiting(void)
{
	return call != 0;
}

/* ---- the doorbell ------------------------------------------------------- */

static void
send_reach(struct peer *qmgr, struct reach *r)
{
	struct ipc_durable m = {
		.segid = r->segid, .off = r->off, .is_sealed = r->is_sealed
	};

	r->is_news = false;
	/* A qmgr that is gone is told when there is a new one. */
	(void)peer_send(qmgr, IPC_durable, 0, &m);
}

/* Once a turn, the newest of each segment. */
static void
tell_late(void *arg)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);

	(void)arg;
	for (size_t i = n_reaches; qmgr != NULL && i-- > 0;) {
		if (reaches[i].is_news) {
			send_reach(qmgr, &reaches[i]);
		}
	}
}

void
segments_tell(struct peer *qmgr)
{
	for (size_t i = 0; i < n_reaches; i++) {
		send_reach(qmgr, &reaches[i]);
	}
}

/* Room for one more: the oldest segment is sealed and known long since. */
static void
forget_oldest(void)
{
	memmove(reaches, reaches + 1, (TOLD_MAX - 1) * sizeof(reaches[0]));
	n_reaches--;
}

static void
on_durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed)
{
	size_t i = n_reaches;

	(void)arg;
	/* The newest are at the end. */
	while (i > 0 && reaches[i - 1].segid != segid) {
		i--;
	}
	if (i == 0) {
		if (n_reaches == TOLD_MAX) {
			forget_oldest();
		}
		i = ++n_reaches;
	}
	reaches[i - 1] = (struct reach){ segid, off, is_sealed, true };
	loop_defer(&tell, tell_late, NULL);
}

/* ---- life --------------------------------------------------------------- */

void
segments_start(const struct segments_config *c)
{
	struct plog_config pc = {
		.kind = PLOG_MAIL,
		.file_size = c->file_size,
		.batch_bytes = BATCH_BYTES,
		.batch_records = BATCH_RECORDS,
		.wait_us = c->wait_us,
		.is_adaptive = true,
		.expected = c->expected,
		.need_file = on_need_file,
		.durable = on_durable,
	};

	config = *c;
	retry = loop_timer_new(on_retry, NULL);
	writer = plog_writer_new(&pc);
}

void
segments_stop(void)
{
	struct peer *master = service_master();

	if (master != NULL) {
		peer_call_cancel(master, call);
	}
	call = 0;
	plog_writer_free(&writer);
	loop_defer_cancel(&tell);
	loop_timer_free(&retry);
	n_reaches = 0;
	is_failing = false;
}

struct plog_writer *
segments_log(void)
{
	return writer;
}
