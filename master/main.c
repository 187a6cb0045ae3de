/*
 * master: binds the listeners, makes the channels between the daemons, starts
 * them, starts them again, and ends them in order. See packetboat(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounce_cf.h"
#include "log.h"
#include "loop.h"
#include "master.h"
#include "routes.h"
#include "shaping.h"

static struct conf *config;
static int ready_fd = -1; /* who started us waits for a byte here */
static int pid_fd = -1;

const struct conf *
master_conf(void)
{
	return config;
}

void
master_ready(void)
{
	if (ready_fd >= 0) {
		(void)!write(ready_fd, "r", 1);
		(void)close(ready_fd);
		ready_fd = -1;
	}
}

static void
die_on(int r, const struct buf *error)
{
	if (r < 0) {
		fatal("%.*s", STR_ARG(buf_str(error)));
	}
}

static void
open_log(void)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	int r;

	for (unsigned i = 0; i < array_len(levels); i++) {
		if (strcmp(config->log_level, levels[i]) == 0) {
			log_set_level((enum log_level)i);
		}
	}
	r = log_open("packetboat/master", config->log_to);
	if (r < 0) {
		fatal("log_to = %s: %s", config->log_to, strerror(-r));
	}
}

/* One master for each run_directory: the lock goes with the process. */
static void
lock_pid_file(void)
{
	char path[4096], text[32];
	int n;

	(void)snprintf(
	    path, sizeof(path), "%s/master.pid", config->run_directory);
	pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (pid_fd < 0) {
		fatal("%s: %s", path, strerror(errno));
	}
	if (flock(pid_fd, LOCK_EX | LOCK_NB) < 0) {
		fatal("the mail system is already running: %s is locked", path);
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(pid_fd, 0) < 0 || write(pid_fd, text, (size_t)n) != n) {
		fatal("%s: %s", path, strerror(errno));
	}
}

static void
on_stop(void *arg)
{
	(void)arg;
	log_info("stopping");
	phases_stop();
}

static void
on_child(void *arg)
{
	(void)arg;
	child_reap();
}

static void
on_reload(void *arg)
{
	struct conf *fresh = NULL;
	struct buf error = { 0 };

	(void)arg;
	if (conf_load(config->dir, &fresh, &error) < 0 ||
	    bounce_cf_check(fresh->dir, &error) < 0 ||
	    routes_check(fresh, &error) < 0 ||
	    shaping_check(fresh->dir, &error) < 0 ||
	    directories_make(fresh, &error) < 0 ||
	    listen_bind(fresh, &error) < 0) {
		log_error("reload refused, the old configuration stays: %.*s",
		    STR_ARG(buf_str(&error)));
		conf_free(&fresh);
	} else {
		log_info("reload");
		conf_free(&config);
		config = fresh;
		phases_reload();
	}
	buf_fini(&error);
}

static void
parse_options(int argc, char **argv, const char **dir)
{
	int c;

	while ((c = getopt(argc, argv, "c:r:")) != -1) {
		if (c == 'c') {
			*dir = optarg;
		} else if (c == 'r') {
			ready_fd = (int)strtol(optarg, NULL, 10);
			(void)fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
		} else {
			fatal("master is started by packetboat(8) only");
		}
	}
}

static void
prepare(const char *dir)
{
	struct rlimit files;
	struct buf error = { 0 };

	die_on(conf_load(dir, &config, &error), &error);
	die_on(shaping_check(config->dir, &error), &error);
	open_log();
	(void)umask(022);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	die_on(bounce_cf_check(config->dir, &error), &error);
	die_on(directories_make(config, &error), &error);
	lock_pid_file();
	loop_init();
	die_on(listen_bind(config, &error), &error);
	die_on(spool_files_init(config, &error), &error);
	die_on(control_open(config, &error), &error);
	buf_fini(&error);
}

int
main(int argc, char **argv)
{
	struct loop_signal *term, *interrupt, *child, *hup;
	const char *dir = NULL;

	parse_options(argc, argv, &dir);
	prepare(dir);
	term = loop_signal_new(SIGTERM, on_stop, NULL);
	interrupt = loop_signal_new(SIGINT, on_stop, NULL);
	child = loop_signal_new(SIGCHLD, on_child, NULL);
	hup = loop_signal_new(SIGHUP, on_reload, NULL);
	phases_start();
	loop_run();
	control_close();
	child_fini();
	alert_fini();
	listen_fini();
	tickets_fini();
	log_info("the mail system has ended");
	log_flush();
	loop_signal_free(&term);
	loop_signal_free(&interrupt);
	loop_signal_free(&child);
	loop_signal_free(&hup);
	loop_fini();
	conf_free(&config);
	(void)close(pid_fd);
	return child_exit_status();
}
