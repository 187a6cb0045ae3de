#include "qmgr_world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "core_view.h"
#include "dsn.h"
#include "fake_loop.h"
#include "log.h"
#include "plan.h"
#include "plog.h"
#include "relocate.h"

struct world w;

static struct qmgr self;
static char home[64];
static char before[512];
static struct conf *conf_of_test;
static struct buf conf_lines;

struct qmgr *
qmgr_self(void)
{
	return &self;
}

/* ---- the spool ---------------------------------------------------------- */

int
world_setup(void **state)
{
	(void)state;
	w = (struct world){ 0 };
	log_set_level(LOG_LEVEL_ERROR);
	loop_init();
	bug_on(getcwd(before, sizeof(before)) == NULL);
	/* The order of syncs is what is tested; a disk only makes them slow. */
	(void)snprintf(home, sizeof(home), "%s/qmgr-test-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	bug_on(mkdtemp(home) == NULL || chdir(home) < 0);
	bug_on(mkdir("msg", 0700) < 0 || mkdir("big", 0700) < 0);
	conf_lines.len = 0;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

int
world_teardown(void **state)
{
	(void)state;
	if (w.q != NULL) {
		world_kill();
	}
	conf_free(&conf_of_test);
	buf_fini(&conf_lines);
	loop_fini();
	bug_on(chdir(before) < 0);
	(void)nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

void
world_conf(const char *lines)
{
	buf_puts(&conf_lines, lines);
}

void
world_settle(void)
{
	fake_loop_settle();
	/* A moment for the journal's wait for company, not for timers. */
	for (int i = 0; i < 100 && self.jrn != NULL && jrn_is_ok(self.jrn) &&
	     jrn_pending(self.jrn) != 0;
	     i++) {
		fake_loop_pass(1);
		fake_loop_settle();
	}
}

static void
read_conf(void)
{
	struct buf error = { 0 };
	FILE *f = fopen("packetboat.cf", "w");

	bug_on(f == NULL);
	fprintf(f, "myhostname = mail.test\nspool_directory = %s\n%.*s", home,
	    (int)conf_lines.len,
	    conf_lines.p != NULL ? (char *)conf_lines.p : "");
	fclose(f);
	conf_free(&conf_of_test);
	if (conf_load(home, &conf_of_test, &error) < 0) {
		fprintf(stderr, "%.*s\n", (int)error.len, (char *)error.p);
		abort();
	}
	/* Shorter than the file can say: no test waits for company. */
	conf_of_test->journal_sync_time = 1;
	buf_fini(&error);
}

/* ---- deliver ------------------------------------------------------------ */

static void
on_file(struct peer *p, uint32_t id, const void *m)
{
	int fd = peer_take_fd(p);

	(void)id;
	(void)m;
	bug_on(fd < 0);
	(void)close(fd);
	w.files++;
}

static void
on_file_drop(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	(void)m;
	w.drops++;
}

static void
on_job(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_job *m = msg;
	struct world_job *j = &w.jobs[w.n_jobs++];
	const char *at = m->rcpts.p;

	(void)p;
	(void)id;
	bug_on(w.n_jobs > WORLD_JOBS);
	*j = (struct world_job){ .job = m->job,
		.msgid = m->msgid,
		.segid = m->segid,
		.rec_off = m->rec_off,
		.content_off = m->content_off,
		.content_len = m->content_len,
		.content_crc = m->content_crc,
		.n = (uint32_t)(m->rcpts.len / 6),
		.is_open = true };
	str_copy(j->mail_from, sizeof(j->mail_from), m->mail_from);
	str_copy(j->next_hop, sizeof(j->next_hop), m->next_hop);
	str_copy(j->user, sizeof(j->user), m->auth_user);
	str_copy(j->password, sizeof(j->password), m->auth_password);
	str_copy(j->tls, sizeof(j->tls), m->tls_policy);
	j->is_fixed = m->is_fixed;
	for (uint32_t i = 0; i < j->n; i++, at += 6) {
		memcpy(&j->ordinals[i], at, 2);
		memcpy(&j->attempts[i], at + 2, 4);
	}
}

static void
on_cancel(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	(void)m;
}

static void
on_ack(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_result_ack *m = msg;

	(void)p;
	(void)id;
	bug_on(m->seq <= w.acked || m->seq > w.seq);
	w.acked = m->seq;
}

static const struct peer_handler deliver_handlers[] = {
	{ IPC_file, on_file },
	{ IPC_file_drop, on_file_drop },
	{ IPC_job, on_job },
	{ IPC_job_cancel, on_cancel },
	{ IPC_result_ack, on_ack },
	{ 0, NULL },
};

void
world_result(
    struct world_job *j, uint32_t i, enum outcome outcome, const char *text)
{
	struct ipc_result r = {
		.seq = ++w.seq,
		.job = j->job,
		.msgid = j->msgid,
		.rcpt = j->ordinals[i],
		.outcome = (uint8_t)outcome,
		.is_last = i + 1 == j->n,
		.attempt = j->attempts[i],
		.rcpt_to = STR("rcpt@example.net"),
		.smtp_text = str_of(text),
		.smtp_enh = STR("2.0.0"),
		.class = STR("other"),
		.is_hard = outcome == OUTCOME_FAILED,
		.esmtp = str_of(w.esmtp != NULL ? w.esmtp : ""),
	};

	if (r.is_last) {
		j->is_open = false;
	}
	(void)peer_send(w.deliver, IPC_result, 0, &r);
}

void
world_finish(enum outcome outcome)
{
	for (uint32_t k = 0; k < w.n_jobs; k++) {
		if (!w.jobs[k].is_open) {
			continue;
		}
		for (uint32_t i = 0; i < w.jobs[k].n; i++) {
			world_result(&w.jobs[k], i, outcome, "what was said");
		}
	}
	world_settle();
}

uint32_t
world_open_jobs(void)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < w.n_jobs; k++) {
		n += w.jobs[k].is_open;
	}
	return n;
}

/* ---- the others --------------------------------------------------------- */

static void
on_site(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_site_req *m = msg;
	struct ipc_site_rep r = { .ttl_s = 3600, .site = m->domain };

	if (str_starts(m->domain, "nx.")) {
		r = (struct ipc_site_rep){ .status = DNS_NXDOMAIN,
			.reason = STR("no such domain"),
			.ttl_s = 60 };
	}
	if (str_starts(m->domain, "later.") && !w.is_dns_back) {
		r = (struct ipc_site_rep){ .status = DNS_TEMPORARY,
			.reason = STR("no answer") };
	}
	(void)peer_send(p, IPC_site_rep, id, &r);
}

static const struct peer_handler resolvd_handlers[] = {
	{ IPC_site_req, on_site },
	{ 0, NULL },
};

static void
ignore(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	(void)m;
}

static const struct peer_handler accountd_handlers[] = {
	{ IPC_journal_durable, ignore },
	{ IPC_journal_file, ignore },
	{ 0, NULL },
};

static void
on_pressure(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	w.pressure = ((const struct ipc_pressure *)m)->level;
}

static void
on_tenant_pressure(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_tenant_pressure *m = msg;

	(void)p;
	(void)id;
	bug_on(m->account >= WORLD_ACCOUNTS);
	w.is_full[m->account] = m->is_full;
	w.told_full++;
}

static const struct peer_handler smtpd_handlers[] = {
	{ IPC_pressure, on_pressure },
	{ IPC_tenant_pressure, on_tenant_pressure },
	{ 0, NULL },
};

static void
on_report(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	w.reports++;
	w.last_report = ((const struct ipc_report_job *)m)->job;
	w.last_report_id = ((const struct ipc_report_job *)m)->msgid;
}

static void
on_dsn(struct peer *p, uint32_t id, const void *m)
{
	const struct ipc_dsn_job *job = m;
	struct str items = job->failures;
	struct dsn_item i;
	bool is_first = true;

	(void)p;
	(void)id;
	w.dsns++;
	w.last_dsn = job->job;
	while (dsn_item_next(&items, &i)) {
		bug_on(!is_first && w.last_action != i.action);
		is_first = false;
		w.last_action = i.action;
		w.told[i.action]++;
		(void)str_safe(w.last_status, sizeof(w.last_status), i.status);
	}
}

void
world_dsn_done(void)
{
	struct ipc_dsn_done m = { .job = w.last_dsn };

	(void)peer_send(w.bouncer, IPC_dsn_done, 0, &m);
	world_settle();
}

static const struct peer_handler bouncer_handlers[] = {
	{ IPC_file, on_file },
	{ IPC_file_drop, on_file_drop },
	{ IPC_report_job, on_report },
	{ IPC_dsn_job, on_dsn },
	{ 0, NULL },
};

/* ---- channels ----------------------------------------------------------- */

/* qmgr's ends, to be freed at its death. */
static struct peer *ends[8];

static void
on_down(struct peer *p, const char *error)
{
	bug_on(error != NULL);
	for (size_t i = 0; i < array_len(ends); i++) {
		if (ends[i] == p) {
			ends[i] = NULL;
		}
	}
	peers_down(&self, p);
}

static void
on_far_down(struct peer *p, const char *error)
{
	(void)p;
	bug_on(error != NULL);
}

static struct peer *
connect_to(enum role role, const struct peer_handler *handlers)
{
	int fds[2];
	size_t i = 0;
	struct peer *far;

	bug_on(socketpair(AF_UNIX,
		   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0);
	while (ends[i] != NULL) {
		i++;
	}
	ends[i] = peer_new(fds[0],
	    &(struct peer_config){ .self = ROLE_QMGR,
		.role = role,
		.handlers = qmgr_handlers,
		.down = on_down });
	far = peer_new(fds[1],
	    &(struct peer_config){ .self = role,
		.role = ROLE_QMGR,
		.handlers = handlers,
		.down = on_far_down });
	peers_up(&self, ends[i]);
	return far;
}

static void
connect_accountd(void)
{
	static const char key[] = "0123456789abcdef0123456789abcdef";
	struct ipc_return_key k = { .key = { key, 32 } };
	struct ipc_tenants_end end = { 0 };
	struct ipc_tenant t = {
		.account = 7, .weight = 100, .name = STR("acme")
	};

	w.accountd = connect_to(ROLE_ACCOUNTD, accountd_handlers);
	(void)peer_send(w.accountd, IPC_tenant, 0, &t);
	(void)peer_send(w.accountd, IPC_return_key, 0, &k);
	(void)peer_send(w.accountd, IPC_tenants_end, 0, &end);
}

void
world_tenant(uint32_t account, uint32_t queue_limit)
{
	struct ipc_tenant t = { .account = account,
		.name = STR("tenant"),
		.weight = 100,
		.queue_limit = queue_limit };

	(void)peer_send(w.accountd, IPC_tenant, 0, &t);
	world_settle();
}

void
world_smtpd_restarts(void)
{
	memset(w.is_full, 0, sizeof(w.is_full));
	peer_free(&w.smtpd);
	world_settle();
	w.smtpd = connect_to(ROLE_SMTPD, smtpd_handlers);
	world_settle();
}

void
world_memory_limit(uint64_t bytes)
{
	conf_of_test->queue_memory_limit = bytes;
}

static void
say_reconciled(void)
{
	struct ipc_reconciled m = { .last_seq = w.seq };

	(void)peer_send(w.deliver, IPC_reconciled, 0, &m);
}

static void
name_open_jobs(void)
{
	for (uint32_t k = 0; k < w.n_jobs; k++) {
		const struct world_job *j = &w.jobs[k];
		struct ipc_running m = {
			.job = j->job,
			.msgid = j->msgid,
			.site = str_of(j->next_hop),
			.rcpts = { (const char *)j->ordinals, j->n * 2 },
		};

		if (j->is_open) {
			(void)peer_send(w.deliver, IPC_running, 0, &m);
		}
	}
}

/* master's part for copies. */
static void
make_file(struct qmgr *q)
{
	static uint32_t number;
	uint64_t segid = segment_id(SPOOL_WRITER_QMGR, 1, ++number);
	char path[SEG_PATH_SIZE];
	int fd;

	(void)mkdir("msg/241", 0700);
	seg_path(segid, path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bug_on(fd < 0);
	relocate_file(q, 0, fd, segid);
}

void
world_start(void)
{
	struct buf error = { 0 };

	read_conf();
	w.q = &self;
	if (qmgr_open(&self, conf_of_test, w.routes, NULL, clock_wall_us(),
		&error) < 0) {
		fprintf(stderr, "%.*s\n", (int)error.len, (char *)error.p);
		abort();
	}
	self.ask_file = make_file;
	qmgr_run(&self);
	w.resolvd = connect_to(ROLE_RESOLVD, resolvd_handlers);
	connect_accountd();
	w.smtpd = connect_to(ROLE_SMTPD, smtpd_handlers);
	w.bouncer = connect_to(ROLE_BOUNCER, bouncer_handlers);
	w.deliver = connect_to(ROLE_DELIVER, deliver_handlers);
	w.acked = 0;
	if (!w.is_silent) {
		name_open_jobs();
		say_reconciled();
	}
	world_settle();
}

void
world_deliver_breaks(void)
{
	peer_free(&w.deliver);
	world_settle();
}

void
world_deliver_returns(bool is_same)
{
	if (!is_same) {
		for (uint32_t k = 0; k < w.n_jobs; k++) {
			w.jobs[k].is_open = false;
		}
		w.seq = 0;
		w.acked = 0;
	}
	w.deliver = connect_to(ROLE_DELIVER, deliver_handlers);
	name_open_jobs();
	say_reconciled();
	world_settle();
}

void
world_bouncer_restarts(void)
{
	peer_free(&w.bouncer);
	world_settle();
	w.bouncer = connect_to(ROLE_BOUNCER, bouncer_handlers);
	world_settle();
}

void
world_kill(void)
{
	struct peer **far[] = { &w.resolvd, &w.accountd, &w.smtpd, &w.bouncer,
		&w.deliver };

	qmgr_close(&self);
	for (size_t i = 0; i < array_len(ends); i++) {
		peer_free(&ends[i]);
	}
	for (size_t i = 0; i < array_len(far); i++) {
		peer_free(far[i]);
	}
	w.q = NULL;
}

/* ---- segments ----------------------------------------------------------- */

struct world_seg {
	struct plog_writer *writer;
	uint64_t segid;
	uint64_t end; /* durable */
	bool is_sealed;
	bool is_silent;
	struct buf contents[64];
	uint32_t n;
};

static void
on_need_file(void *arg)
{
	(void)arg;
}

static void
on_durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed)
{
	struct world_seg *s = arg;

	(void)is_sealed;
	bug_on(segid != s->segid);
	s->end = off;
}

struct world_seg *
world_seg(uint8_t writer, uint32_t inc, uint32_t number)
{
	struct world_seg *s = mem_alloc(sizeof(*s));
	char path[SEG_PATH_SIZE];
	int fd;

	s->segid = segment_id(writer, inc, number);
	s->writer = plog_writer_new(&(struct plog_config){ .kind = PLOG_MAIL,
	    .file_size = 64 << 20,
	    .batch_bytes = 1 << 20,
	    .batch_records = 1000,
	    .need_file = on_need_file,
	    .durable = on_durable,
	    .arg = s });
	(void)snprintf(path, sizeof(path), "msg/%u", writer);
	(void)mkdir(path, 0700);
	seg_path(s->segid, path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bug_on(fd < 0);
	plog_writer_add_file(s->writer, fd, s->segid);
	return s;
}

void
world_seg_close(struct world_seg **sp)
{
	struct world_seg *s = *sp;

	*sp = NULL;
	plog_writer_free(&s->writer);
	for (uint32_t i = 0; i < array_len(s->contents); i++) {
		buf_fini(&s->contents[i]);
	}
	free(s);
}

uint64_t
world_segid(const struct world_seg *s)
{
	return s->segid;
}

static void
on_record(void *arg, int status, uint64_t segid, uint64_t off)
{
	(void)arg;
	(void)segid;
	(void)off;
	bug_on(status < 0 && status != -ECANCELED);
}

static void
fill(struct event_accepted *e, const struct world_mail *m, struct buf *rcpts)
{
	*e = (struct event_accepted){
		.time_us = clock_wall_us(),
		.account = m->account != 0 ? m->account : 7,
		.account_name = STR("acme"),
		.class = CLASS_STANDARD,
		.flags = m->flags,
		.sender = str_of(m->sender != NULL ? m->sender : "a@acme.test"),
		.expires_us = m->expires_us,
		.not_before_us = m->not_before_us,
		.tags = str_of(m->tags),
		.inbound = m->inbound,
	};
	for (size_t i = 0; i < array_len(m->rcpts); i++) {
		const char *address = m->rcpts[i];

		if (i == 0 && address == NULL) {
			address = "rcpt@example.net";
		}
		if (address != NULL) {
			event_rcpt_add(rcpts,
			    &(struct event_rcpt){ .address = str_of(address),
				.notify = m->notify[i] });
			e->nrcpt++;
		}
	}
	e->rcpts = buf_str(rcpts);
}

struct uuid
world_mail(struct world_seg *s, const struct world_mail *m)
{
	struct buf *content = &s->contents[s->n++ % array_len(s->contents)];
	struct buf rcpts = { 0 };
	struct buf rec = { 0 };
	struct event_accepted e;
	struct uuid_place place;
	struct iovec iov;

	fill(&e, m, &rcpts);
	bug_on(plog_writer_next(s->writer, &place.segid, &place.index) < 0);
	e.msgid = uuid_make(clock_wall_us(), place);
	content->len = 0;
	buf_puts(content,
	    m->content != NULL ? m->content
			       : "Subject: x\r\n"
				 "\r\nhello\r\n");
	e.size = (uint32_t)content->len;
	bug_on(event_encode(&rec, EVENT_accepted, &e) < 0);
	iov = (struct iovec){ content->p, content->len };
	bug_on(plog_append(s->writer, EVENT_accepted, rec.p, rec.len, &iov, 1,
		   on_record, NULL) < 0);
	buf_fini(&rcpts);
	buf_fini(&rec);
	return e.msgid;
}

void
world_sync_silently(struct world_seg *s)
{
	plog_writer_kick(s->writer);
	while (plog_writer_pending(s->writer) != 0) {
		world_settle();
	}
}

void
world_tell(const struct world_seg *s, uint64_t off, bool is_sealed)
{
	struct ipc_durable m = {
		.segid = s->segid, .off = off, .is_sealed = is_sealed
	};

	(void)peer_send(w.smtpd, IPC_durable, 0, &m);
	world_settle();
}

void
world_sync(struct world_seg *s, bool is_sealed)
{
	world_sync_silently(s);
	world_tell(s, s->end, is_sealed);
}

struct uuid
world_send(const struct world_mail *m)
{
	struct uuid id = world_mail(w.seg, m);

	world_sync(w.seg, false);
	return id;
}

int
world_begin(void **state)
{
	(void)world_setup(state);
	world_start();
	w.seg = world_seg(0, 1, 1);
	return 0;
}

int
world_end(void **state)
{
	world_seg_close(&w.seg);
	return world_teardown(state);
}

static int
open_seg(const struct world_seg *s)
{
	char path[SEG_PATH_SIZE];
	int fd;

	seg_path(s->segid, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	bug_on(fd < 0);
	return fd;
}

void
world_seg_damage(const struct world_seg *s, uint64_t off)
{
	autoclose int fd = open_seg(s);
	uint8_t b;

	bug_on(pread(fd, &b, 1, (off_t)off) != 1);
	b ^= 0x55;
	bug_on(pwrite(fd, &b, 1, (off_t)off) != 1);
}

void
world_seg_cut(const struct world_seg *s, uint64_t len)
{
	autoclose int fd = open_seg(s);

	bug_on(ftruncate(fd, (off_t)len) < 0);
}

uint64_t
world_seg_size(const struct world_seg *s)
{
	autoclose int fd = open_seg(s);
	struct stat st;

	bug_on(fstat(fd, &st) < 0);
	return (uint64_t)st.st_size;
}

bool
world_seg_exists(uint64_t segid)
{
	char path[SEG_PATH_SIZE];

	seg_path(segid, path);
	return access(path, F_OK) == 0;
}

/* ---- the journal -------------------------------------------------------- */

typedef void see_fn(void *arg, const struct plog_record *rec);

static void
read_journal(see_fn *see, void *arg)
{
	for (uint32_t n = 1; n < 1000; n++) {
		char path[JOURNAL_NAME_SIZE + 4] = "jrn/";
		struct plog_reader r = { 0 };
		struct plog_record rec;
		int fd;

		journal_name(n, path + 4);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			continue;
		}
		if (plog_reader_init(&r, fd) == 0) {
			while (plog_reader_batch(&r, UINT64_MAX) == 1) {
				while (plog_reader_record(&r, &rec)) {
					see(arg, &rec);
				}
			}
			plog_reader_fini(&r);
		}
		(void)close(fd);
	}
}

struct count {
	enum event_type type;
	unsigned n;
};

static void
count_one(void *arg, const struct plog_record *rec)
{
	struct count *c = arg;

	c->n += rec->type == c->type;
}

unsigned
world_events(enum event_type type)
{
	struct count c = { .type = type };

	read_journal(count_one, &c);
	return c.n;
}

struct last {
	enum event_type type;
	struct buf rec;
	bool is_found;
};

static void
keep_last(void *arg, const struct plog_record *rec)
{
	struct last *l = arg;

	if (rec->type == l->type) {
		l->rec.len = 0;
		buf_add(&l->rec, rec->rec.p, rec->rec.len);
		l->is_found = true;
	}
}

bool
world_last_event(enum event_type type, void *event)
{
	static struct last l;

	l.type = type;
	l.is_found = false;
	read_journal(keep_last, &l);
	return l.is_found && event_decode(type, l.rec.p, l.rec.len, event) == 0;
}

char *
world_dump(void)
{
	struct buf b = { 0 };

	char *quotas;

	core_dump(self.core, &b);
	buf_u8(&b, 0);
	quotas = strstr((char *)b.p, "quota ");
	if (quotas != NULL) {
		*quotas = '\0';
	}
	return (char *)b.p;
}

void
world_checkpoint(void)
{
	checkpoint_begin(&self);
	for (int i = 0; i < 1000 && checkpoint_is_running(&self); i++) {
		world_settle();
		fake_loop_pass(10 * US_PER_MS);
	}
	bug_on(checkpoint_is_running(&self));
}

uint32_t
world_queued(void)
{
	struct core_stats st;

	core_stats_get(self.core, &st);
	return st.rcpts;
}
