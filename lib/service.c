#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "buf.h"
#include "log.h"
#include "loop.h"
#include "sandbox.h"
#include "tool_serve.h"

/* Master hands the control channel over as this descriptor. */
#define MASTER_FD 3

/* A channel. Those that come before start wait as descriptors, so that no
 * message is handled before start has run. */
struct link {
	struct link *next;
	struct peer *peer;
	int fd; /* -1 once there is a peer */
	enum role role;
	uint32_t index;
};

static const struct service *service;
static struct conf *config;
static uint32_t own_index;
static struct peer *master;
static struct link *links; /* newest first */
static bool is_started;
static bool is_draining;
static struct loop_timer *drain_timer;

const struct conf *
conf(void)
{
	return config;
}

uint32_t
service_index(void)
{
	return own_index;
}

struct peer *
service_master(void)
{
	return master;
}

void
service_exit(void)
{
	loop_stop();
}

/* ---- channels ----------------------------------------------------------- */

struct peer *
service_peer(enum role role, uint32_t index)
{
	for (struct link *l = links; l != NULL; l = l->next) {
		if (l->role == role && l->index == index) {
			return l->peer;
		}
	}
	return NULL;
}

void
service_peers(enum role role, void (*fn)(struct peer *p, void *arg), void *arg)
{
	struct link *next;

	for (struct link *l = links; l != NULL; l = next) {
		next = l->next;
		if (l->role == role && l->peer != NULL) {
			fn(l->peer, arg);
		}
	}
}

static void
on_peer_down(struct peer *p, const char *error)
{
	if (error != NULL) {
		log_error("%s %u %s: disconnected", role_name(peer_role(p)),
		    (unsigned)peer_index(p), error);
	}
	for (struct link **at = &links; *at != NULL; at = &(*at)->next) {
		struct link *l = *at;

		if (l->peer == p) {
			*at = l->next;
			free(l);
			break;
		}
	}
	if (service->peer_down != NULL) {
		service->peer_down(p);
	}
}

static void
open_peer(struct link *l)
{
	l->peer = peer_new(l->fd,
	    &(struct peer_config){ .self = service->role,
		.role = l->role,
		.index = l->index,
		.handlers = service->handlers,
		.down = on_peer_down });
	l->fd = -1;
}

static void
on_channel(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_channel *m = msg;
	int fd = peer_take_fd(p);
	struct link *l;

	(void)id;
	if (fd < 0) {
		return;
	}
	l = mem_alloc(sizeof(*l));
	*l = (struct link){ links, NULL, fd, (enum role)m->role, m->index };
	links = l;
	if (is_started) {
		open_peer(l);
		if (service->peer_up != NULL) {
			service->peer_up(l->peer);
		}
	}
}

static void
on_listen(struct peer *p, uint32_t id, const void *msg)
{
	int fd = peer_take_fd(p);

	(void)id;
	if (fd >= 0 && service->listen != NULL) {
		service->listen(fd, msg);
	} else if (fd >= 0) {
		(void)close(fd);
	}
}

static void
on_ticket_key(struct peer *p, uint32_t id, const void *msg)
{
	(void)p;
	(void)id;
	if (service->ticket_key != NULL) {
		service->ticket_key(msg);
	}
}

static void
serve_tool(struct tool *t)
{
	if (service->tool != NULL) {
		service->tool(t);
	} else {
		tool_end(t, 64, "%s has no commands", service->name);
	}
}

static void
on_tool(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_tool *m = msg;
	int fd = peer_take_fd(p);

	(void)id;
	if (fd >= 0) {
		tool_serve(fd, service->role, m->uid, serve_tool);
	}
}

static void
on_begin(struct peer *p, uint32_t id, const void *msg)
{
	static const struct ipc_ready ready;

	(void)id;
	(void)msg;
	for (struct link *l = links; l != NULL; l = l->next) {
		open_peer(l);
	}
	is_started = true;
	if (service->start != NULL) {
		service->start();
	}
	for (struct link *l = links; l != NULL; l = l->next) {
		if (service->peer_up != NULL) {
			service->peer_up(l->peer);
		}
	}
	(void)peer_send(p, IPC_ready, 0, &ready);
}

/* ---- the end ------------------------------------------------------------ */

static void
on_drain_over(void *arg)
{
	(void)arg;
	log_warn("drain_time is over: ending with work unfinished");
	service_exit();
}

static void
drain(void *arg)
{
	(void)arg;
	/* Before its start there is nothing to finish. */
	if (is_draining || !is_started || service->drain == NULL) {
		service_exit();
		return;
	}
	is_draining = true;
	drain_timer = loop_timer_new(on_drain_over, NULL);
	loop_timer_arm(drain_timer, config->drain_time);
	service->drain();
}

static void
on_drain(struct peer *p, uint32_t id, const void *msg)
{
	(void)p;
	(void)id;
	(void)msg;
	drain(NULL);
}

static void
on_master_down(struct peer *p, const char *error)
{
	(void)p;
	(void)error;
	master = NULL; /* freed by the caller */
	service_exit();
}

/* ---- start -------------------------------------------------------------- */

static const struct peer_handler master_handlers[] = {
	{ IPC_channel, on_channel },
	{ IPC_listen, on_listen },
	{ IPC_ticket_key, on_ticket_key },
	{ IPC_tool, on_tool },
	{ IPC_begin, on_begin },
	{ IPC_drain, on_drain },
	{ 0, NULL },
};

static const char *
parse_options(int argc, char **argv)
{
	const char *dir = NULL;
	int c;

	while ((c = getopt(argc, argv, "c:i:")) != -1) {
		if (c == 'c') {
			dir = optarg;
		} else if (c == 'i') {
			own_index = (uint32_t)strtoul(optarg, NULL, 10);
		} else {
			fatal("%s is started by packetboat(8) only",
			    service->name);
		}
	}
	if (fcntl(MASTER_FD, F_GETFD) < 0) {
		fatal("%s is started by packetboat(8) only", service->name);
	}
	(void)fcntl(MASTER_FD, F_SETFD, FD_CLOEXEC);
	return dir;
}

static void
open_log(void)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	char ident[64];
	int r;

	for (unsigned i = 0; i < array_len(levels); i++) {
		if (strcmp(config->log_level, levels[i]) == 0) {
			log_set_level((enum log_level)i);
		}
	}
	(void)snprintf(ident, sizeof(ident), "packetboat/%s", service->name);
	r = log_open(ident, config->log_to);
	if (r < 0) {
		fatal("log_to = %s: %s", config->log_to, strerror(-r));
	}
}

static void
set_limits(void)
{
	struct rlimit none = { 0, 0 }, files;

	(void)setrlimit(RLIMIT_CORE, &none); /* keys and mail stay inside */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN); /* a terminal's: master decides */
	(void)signal(SIGHUP, SIG_IGN);
}

/* Takes the daemon's own user and root; as a plain user only the directory. */
static void
drop_privileges(const char *directory)
{
	char name[128], empty[4096];
	const struct passwd *pw;
	int r;

	if (geteuid() != 0) {
		if (directory != NULL && chdir(directory) < 0) {
			fatal("%s: %s", directory, strerror(errno));
		}
		return;
	}
	(void)snprintf(name, sizeof(name), "%s%s", config->daemon_user_prefix,
	    service->name);
	pw = getpwnam(name);
	if (pw == NULL) {
		fatal("user %s does not exist: create it, or change "
		      "daemon_user_prefix",
		    name);
	}
	(void)snprintf(empty, sizeof(empty), "%s/empty", config->run_directory);
	r = sandbox_drop(
	    directory != NULL ? directory : empty, pw->pw_uid, pw->pw_gid);
	if (r < 0) {
		fatal("%s: cannot become %s: %s",
		    directory != NULL ? directory : empty, name, strerror(-r));
	}
}

static void
confine(void)
{
	const char *directory =
	    service->directory != NULL ? service->directory(config) : NULL;
	autoclose int fd = -1;
	int r;

	drop_privileges(directory);
	if (directory != NULL) {
		fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0) {
			fatal("%s: %s", directory, strerror(errno));
		}
	}
	r = sandbox_enter(service->sandbox, fd);
	if (r < 0) {
		fatal("cannot enter the sandbox: %s", strerror(-r));
	}
}

static void
release(void)
{
	/* As when the other ends go away: requests hear NULL first. */
	while (links != NULL) {
		struct link *l = links;
		struct peer *p = l->peer;

		if (p == NULL) { /* never started */
			links = l->next;
			(void)close(l->fd);
			free(l);
			continue;
		}
		on_peer_down(p, NULL);
		peer_free(&p);
	}
	if (service->stop != NULL) {
		service->stop();
	}
	peer_free(&master);
	loop_timer_free(&drain_timer);
	log_flush();
}

int
service_main(const struct service *s, int argc, char **argv)
{
	struct buf error = { 0 };
	struct loop_signal *term;
	const char *dir;

	service = s;
	dir = parse_options(argc, argv);
	if (conf_load(dir, &config, &error) < 0) {
		fatal("%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
	open_log();
	set_limits();
	loop_init();
	if (s->init != NULL) {
		s->init();
	}
	term = loop_signal_new(SIGTERM, drain, NULL);
	confine();
	master = peer_new(MASTER_FD,
	    &(struct peer_config){ .self = s->role,
		.role = ROLE_MASTER,
		.handlers = master_handlers,
		.down = on_master_down });
	loop_run();
	release();
	loop_signal_free(&term);
	loop_fini();
	conf_free(&config);
	return 0;
}
