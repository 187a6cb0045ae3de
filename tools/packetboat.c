/* packetboat(8): starts, stops and checks the suite. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "backup.h"
#include "check.h"
#include "client.h"

static const char usage[] =
    "usage: packetboat [-c DIR] start | start-fg | stop | reload | status | "
    "check\n"
    "       packetboat [-c DIR] backup | restore DIRECTORY\n";

/* How long start waits for every daemon to be ready, and stop for the end. */
#define START_SECONDS 60
#define STOP_MARGIN_SECONDS 30

/* ---- the running master -------------------------------------------------- */

static FILE *
open_pid_file(void)
{
	char path[4096];

	(void)snprintf(
	    path, sizeof(path), "%s/master.pid", client_conf()->run_directory);
	return fopen(path, "re");
}

/* The process id of the running master, 0 when there is none. */
static pid_t
running_pid(void)
{
	FILE *f = open_pid_file();
	int pid = 0;

	if (f == NULL) {
		return 0;
	}
	/* A lock that can be had belongs to nobody: a left-over file. */
	if (flock(fileno(f), LOCK_SH | LOCK_NB) == 0 ||
	    fscanf(f, "%d", &pid) != 1) {
		pid = 0;
	}
	(void)fclose(f);
	return (pid_t)pid;
}

static pid_t
need_running(void)
{
	pid_t pid = running_pid();

	if (pid == 0) {
		client_die(EX_UNAVAILABLE,
		    "the Packetboat mail system is not running");
	}
	return pid;
}

/* ---- commands ------------------------------------------------------------ */

static void NORETURN
exec_master(int ready_fd)
{
	char path[4096], fd[16];
	char *argv[] = { (char *)(uintptr_t) "master", (char *)(uintptr_t) "-c",
		client_conf()->dir, NULL, NULL, NULL };

	(void)snprintf(
	    path, sizeof(path), "%s/master", client_conf()->daemon_directory);
	if (ready_fd >= 0) {
		(void)snprintf(fd, sizeof(fd), "%d", ready_fd);
		argv[3] = (char *)(uintptr_t) "-r";
		argv[4] = fd;
	}
	(void)execv(path, argv);
	client_die(EX_UNAVAILABLE, "%s: %s", path, strerror(errno));
}

/*
 * The daemons do not keep the terminal, or a pipe whose reader would wait for
 * their end: what they say before their log is open goes through said_fd.
 */
static void NORETURN
become_master(int ready_fd, int said_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	(void)dup2(null, STDIN_FILENO);
	if (strcmp(client_conf()->log_to, "stderr") != 0) {
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(said_fd, STDERR_FILENO);
	}
	exec_master(ready_fd);
}

/* Repeats what comes from said until ready can be read. */
static void
wait_for_ready(int ready, int said)
{
	struct pollfd p[] = { { .fd = ready, .events = POLLIN },
		{ .fd = said, .events = POLLIN } };
	char text[4096];

	do {
		if (poll(p, 2, START_SECONDS * 1000) <= 0) {
			client_die(EX_TEMPFAIL,
			    "not ready after %d seconds: see the log",
			    START_SECONDS);
		}
		if (p[1].revents != 0) {
			ssize_t n = read(said, text, sizeof(text));

			if (n > 0) {
				(void)!write(STDERR_FILENO, text, (size_t)n);
			} else {
				p[1].fd = -1;
			}
			p[1].revents = 0;
		}
	} while (p[0].revents == 0);
}

static int
start(void)
{
	int fd[2], said[2], status = 0;
	char byte;
	pid_t pid;

	if (running_pid() != 0) {
		client_die(EX_UNAVAILABLE,
		    "the Packetboat mail system is already running");
	}
	if (pipe(fd) < 0 || pipe2(said, O_CLOEXEC) < 0) {
		client_die(EX_OSERR, "pipe: %s", strerror(errno));
	}
	pid = fork();
	if (pid < 0) {
		client_die(EX_OSERR, "fork: %s", strerror(errno));
	}
	if (pid == 0) {
		(void)close(fd[0]);
		become_master(fd[1], said[1]);
	}
	(void)close(fd[1]);
	(void)close(said[1]);
	wait_for_ready(fd[0], said[0]);
	if (read(fd[0], &byte, 1) == 1) {
		return EX_OK;
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) != 0
	    ? WEXITSTATUS(status)
	    : EX_SOFTWARE;
}

static int
stop(void)
{
	pid_t pid = need_running();
	int left = (int)(client_conf()->drain_time / 1000000) * 3 +
	    STOP_MARGIN_SECONDS;
	FILE *f = open_pid_file();

	if (f == NULL || kill(pid, SIGTERM) < 0) {
		client_die(EX_NOPERM, "cannot stop process %d: %s", (int)pid,
		    strerror(errno));
	}
	/* The lock goes with the process. */
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm((unsigned)left);
	if (flock(fileno(f), LOCK_SH) < 0) {
		client_die(EX_OSERR, "%s", strerror(errno));
	}
	(void)fclose(f);
	return EX_OK;
}

static int
reload(void)
{
	pid_t pid = need_running();

	if (kill(pid, SIGHUP) < 0) {
		client_die(EX_NOPERM, "cannot signal process %d: %s", (int)pid,
		    strerror(errno));
	}
	return EX_OK;
}

static void
print_process(json_t *line, void *arg)
{
	(void)arg;
	if (client_wants_json()) {
		(void)json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		printf("%-10s %2d  pid %-8d %-9s restarts %d\n",
		    client_str(line, "service"), (int)client_int(line, "index"),
		    (int)client_int(line, "pid"), client_str(line, "state"),
		    (int)client_int(line, "restarts"));
	}
}

static int
status(void)
{
	pid_t pid = running_pid();

	if (pid == 0) {
		client_die(1, "the Packetboat mail system is not running");
	}
	if (!client_wants_json()) {
		printf("the Packetboat mail system is running: PID: %d\n",
		    (int)pid);
	}
	return client_call(
	    "master", "status", json_object(), print_process, NULL);
}

/* ---- backup and restore --------------------------------------------------
 */

static int
backup(const char *to)
{
	return backup_make(to, running_pid() != 0);
}

static int
restore(const char *from)
{
	if (running_pid() != 0) {
		client_die(EX_UNAVAILABLE,
		    "the Packetboat mail system is running: stop it first");
	}
	return backup_restore(from);
}

int
main(int argc, char **argv)
{
	client_init(&argc, argv, usage);
	if (argc == 3 && strcmp(argv[1], "backup") == 0) {
		return backup(argv[2]);
	}
	if (argc == 3 && strcmp(argv[1], "restore") == 0) {
		return restore(argv[2]);
	}
	if (argc != 2) {
		client_usage(NULL);
	}
	if (strcmp(argv[1], "start") == 0) {
		return check_installation(false) ? start() : EX_CONFIG;
	}
	if (strcmp(argv[1], "start-fg") == 0) {
		if (!check_installation(false)) {
			return EX_CONFIG;
		}
		exec_master(-1);
	}
	if (strcmp(argv[1], "stop") == 0) {
		return stop();
	}
	if (strcmp(argv[1], "reload") == 0) {
		return check_installation(false) ? reload() : EX_CONFIG;
	}
	if (strcmp(argv[1], "status") == 0) {
		return status();
	}
	if (strcmp(argv[1], "check") == 0) {
		return check_installation(true) ? EX_OK : EX_CONFIG;
	}
	client_usage("unknown command");
}
