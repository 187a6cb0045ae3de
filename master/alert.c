/*
 * alert_run_req: alert_command, which may be anything an administrator wants.
 * It is a process of its own without a descriptor of ours, as another user,
 * and gets no word of an alert as an argument: names are in its environment,
 * made plain, and the text is on its standard input. It passes neither the
 * queue nor the journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "loop.h"
#include "master.h"

#define WORDS_MAX 32
#define RUNS_MAX 100

/* A command under way, or one that waits for its turn (pid 0). */
struct run {
	struct run *next;
	pid_t pid;
	struct loop_timer *timer;
	uint64_t alert; /* its number */
	uint32_t id;	/* of the request */
	struct buf env;
	struct buf text;
};

static struct run *runs; /* in the order in which they came */

/* ---- the child ------------------------------------------------------------
 */

/* Cuts the command at blanks, in place. */
static void
split(char *text, char **argv)
{
	char *rest = NULL;
	size_t n = 0;

	for (char *w = strtok_r(text, " \t", &rest); w != NULL && n < WORDS_MAX;
	     w = strtok_r(NULL, " \t", &rest)) {
		argv[n++] = w;
	}
	argv[n] = NULL;
}

/* False: no command of ours may run as root. */
static bool
drop_rights(const struct passwd *pw)
{
	return pw == NULL ||
	    (setgroups(0, NULL) == 0 && setgid(pw->pw_gid) == 0 &&
		setuid(pw->pw_uid) == 0 && pw->pw_uid != 0);
}

static void
close_all(void)
{
	long most = sysconf(_SC_OPEN_MAX);

	if (close_range(3, ~0u, 0) < 0) {
		for (int fd = 3; fd < most; fd++) {
			(void)close(fd);
		}
	}
}

static void NORETURN
exec_command(const struct run *r, const struct passwd *pw, int in)
{
	char *command = strdup(master_conf()->alert_command);
	char *argv[WORDS_MAX + 1];
	char *env[8] = { NULL };
	char *at = (char *)r->env.p;
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	for (size_t i = 0; i < 7 && at < (char *)r->env.p + r->env.len; i++) {
		env[i] = at;
		at += strlen(at) + 1;
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid(); /* what it starts can be ended with it */
	if (command == NULL || null < 0 || dup2(in, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(null, 2) < 0 || chdir("/") < 0 ||
	    !drop_rights(pw)) {
		_exit(EX_TEMPFAIL);
	}
	close_all();
	split(command, argv);
	if (argv[0] != NULL) {
		(void)execve(argv[0], argv, env);
	}
	_exit(EX_UNAVAILABLE);
}

/* ---- requests -------------------------------------------------------------
 */

static void
answer_to(struct peer *p, uint32_t id, uint64_t alert, bool is_wanted_again)
{
	const struct ipc_alert_run_rep m = { .alert = alert,
		.is_wanted_again = is_wanted_again };

	(void)peer_send(p, IPC_alert_run_rep, id, &m);
}

/* A new accountd that has not asked yet sees that it is not its answer. */
static void
answer(const struct run *r, bool is_wanted_again)
{
	struct peer *p = child_peer(ROLE_ACCOUNTD);

	if (p != NULL) {
		answer_to(p, r->id, r->alert, is_wanted_again);
	}
}

static void
run_free(struct run *r)
{
	struct run **at = &runs;

	while (*at != r) {
		at = &(*at)->next;
	}
	*at = r->next;
	loop_timer_free(&r->timer);
	buf_fini(&r->env);
	buf_fini(&r->text);
	free(r);
}

static void
on_timeout(void *arg)
{
	struct run *r = arg;

	log_warn("alert_command, pid %d, runs too long: killed", (int)r->pid);
	(void)kill(-r->pid, SIGKILL);
}

/* A pipe with the text in it, which is smaller than what a pipe takes. */
static int
text_pipe(const struct run *r)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0) {
		return -errno;
	}
	if (write(fd[1], r->text.p, r->text.len) < 0) {
		(void)close(fd[0]);
		fd[0] = -EIO;
	}
	(void)close(fd[1]);
	return fd[0];
}

/* 0, or -errno: it was not started. */
static int
start(struct run *r)
{
	const struct passwd *pw = NULL;
	int in;

	if (geteuid() == 0) {
		pw = getpwnam(master_conf()->alert_command_user);
		if (pw == NULL || pw->pw_uid == 0) {
			return -EPERM;
		}
	}
	in = text_pipe(r);
	if (in < 0) {
		return in;
	}
	log_flush();
	r->pid = fork();
	if (r->pid == 0) {
		exec_command(r, pw, in);
	}
	(void)close(in);
	if (r->pid < 0) {
		r->pid = 0;
		return -EAGAIN;
	}
	r->timer = loop_timer_new(on_timeout, r);
	loop_timer_arm(r->timer, master_conf()->alert_command_timeout);
	return 0;
}

static void
start_more(void)
{
	struct run *next;
	uint64_t running = 0;

	for (struct run *r = runs; r != NULL; r = next) {
		int e = 0;

		next = r->next;
		if (r->pid == 0 &&
		    running < master_conf()->alert_command_limit) {
			e = start(r);
		}
		running += r->pid != 0;
		if (e < 0) {
			log_error("alert_command is not run: %s",
			    e == -EPERM ? "alert_command_user must be a user "
					  "that exists, and not root"
					: strerror(-e));
			answer(r, e != -EPERM);
			run_free(r);
		}
	}
}

static void
add_env(struct buf *env, const char *name, struct str value)
{
	char safe[1025];

	buf_printf(env, "%s=%s", name, str_safe(safe, sizeof(safe), value));
	buf_u8(env, '\0');
}

static struct run *
run_new(uint32_t id, const struct ipc_alert_run_req *m)
{
	struct run *r = mem_alloc(sizeof(*r));
	struct run **at = &runs;
	char text[1025];
	char time[32];
	int n = snprintf(time, sizeof(time), "%llu",
	    (unsigned long long)(m->time_us / US_PER_S));

	r->id = id;
	r->alert = m->alert;
	add_env(&r->env, "PATH", STR("/usr/local/bin:/usr/bin:/bin"));
	add_env(&r->env, "ALERT_NAME", m->name);
	add_env(
	    &r->env, "ALERT_STATE", m->is_over != 0 ? STR("over") : STR("on"));
	add_env(&r->env, "ALERT_ACCOUNT", m->account);
	add_env(&r->env, "ALERT_CONTACT", m->contact);
	add_env(&r->env, "ALERT_TIME", (struct str){ time, (size_t)n });
	buf_printf(&r->text, "%s\n", str_safe(text, sizeof(text), m->text));
	while (*at != NULL) {
		at = &(*at)->next;
	}
	*at = r;
	return r;
}

void
alert_on_run(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_alert_run_req *m = msg;
	unsigned n = 0;

	for (struct run *r = runs; r != NULL; r = r->next) {
		if (r->alert == m->alert) {
			r->id = id; /* asked again: by a new accountd */
			return;
		}
		n++;
	}
	if (master_conf()->alert_command[0] == '\0') {
		answer_to(p, id, m->alert, false);
	} else if (n >= RUNS_MAX) {
		answer_to(p, id, m->alert, true);
	} else {
		(void)run_new(id, m);
		start_more();
	}
}

bool
alert_reaped(pid_t pid, int status)
{
	struct run *r = runs;
	bool is_wanted_again;

	while (r != NULL && r->pid != pid) {
		r = r->next;
	}
	if (r == NULL) {
		return false;
	}
	is_wanted_again =
	    WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL;
	if (WIFSIGNALED(status)) {
		log_warn(
		    "alert_command was killed by signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status) != 0) {
		log_warn("alert_command ended with status %d%s",
		    WEXITSTATUS(status),
		    is_wanted_again ? ": it is run again" : "");
	}
	answer(r, is_wanted_again);
	run_free(r);
	start_more();
	return true;
}

void
alert_fini(void)
{
	while (runs != NULL) {
		if (runs->pid != 0) {
			(void)kill(-runs->pid, SIGKILL);
		}
		run_free(runs);
	}
}
