#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

#include "buf.h"
#include "clock.h"

/* Lines are written when the turn ends, or earlier beyond this, bytes. */
#define FLUSH_BYTES (32 * 1024)
#define LINE_MAX_BYTES 4096

static enum { TO_STDERR, TO_FILE, TO_SYSLOG } target = TO_STDERR;
static enum log_level max_level = LOG_LEVEL_INFO;
static char ident[64] = "packetboat";
static int out_fd = STDERR_FILENO;
static int pid; /* 0: not asked for yet */
static struct buf pending;

static const char *const level_words[] = { "error: ", "warning: ", "", "" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/*
 * The log daemon's socket, opened once: a confined process cannot open it
 * later. Datagrams are written as syslog(3) would, without its lock.
 */
static int
open_syslog(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

int
log_open(const char *name, const char *to)
{
	int fd;

	(void)snprintf(ident, sizeof(ident), "%s", name);
	tzset();
	if (strcmp(to, "stderr") == 0) {
		target = TO_STDERR;
		out_fd = STDERR_FILENO;
		return 0;
	}
	if (strcmp(to, "syslog") == 0) {
		fd = open_syslog();
	} else if (strncmp(to, "file:", 5) == 0) {
		fd = open(to + 5,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
		fd = fd < 0 ? -errno : fd;
	} else {
		return -EINVAL;
	}
	if (fd < 0) {
		return fd;
	}
	out_fd = fd;
	target = strcmp(to, "syslog") == 0 ? TO_SYSLOG : TO_FILE;
	return 0;
}

void
log_set_level(enum log_level level)
{
	max_level = level;
}

static int
own_pid(void)
{
	if (pid == 0) {
		pid = (int)getpid(); /* not for each line */
	}
	return pid;
}

/* "Nov 22 09:30:01 packetboat/smtpd[123]: "; the time is that of the turn. */
static void
add_prefix(void)
{
	static time_t last;
	static char stamp[32];
	time_t now = (time_t)(clock_wall_us() / US_PER_S);

	if (now != last) {
		struct tm tm;

		last = now;
		(void)localtime_r(&now, &tm);
		(void)strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	}
	buf_printf(&pending, "%s %s[%d]: ", stamp, ident, own_pid());
}

static void log_line(enum log_level level, const char *fmt, va_list ap)
    PRINTF(2, 0);

static void
log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int n;

	if (level > max_level) {
		return;
	}
	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n < 0) {
		return;
	}
	if (target == TO_SYSLOG) {
		/* What the log daemon does not take now is lost, as with
		 * syslog(3): mail does not wait for it. */
		(void)dprintf(out_fd, "<%d>%s[%d]: %s%s",
		    LOG_MAIL | priorities[level], ident, own_pid(),
		    level_words[level], line);
		return;
	}
	add_prefix();
	buf_puts(&pending, level_words[level]);
	buf_puts(&pending, line);
	buf_u8(&pending, '\n');
	if (pending.len >= FLUSH_BYTES || level <= LOG_LEVEL_WARN ||
	    target == TO_STDERR) {
		log_flush();
	}
}

#define LOG_FUNCTION(name, level)                                              \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		log_line(level, fmt, ap);                                      \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void
log_flush(void)
{
	size_t at = 0;

	while (at < pending.len) {
		ssize_t n = write(out_fd, pending.p + at, pending.len - at);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			break; /* a full log disk must not stop mail */
		}
		at += (size_t)n;
	}
	pending.len = 0;
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	if (target != TO_STDERR) {
		/* Who starts the suite at a terminal sees why it failed. */
		fprintf(stderr, "%s: ", ident);
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	log_flush();
	exit(1);
}
