/*
 * Log lines for people: syslog, standard error or a file, as log_to says.
 * Lines are Postfix-shaped where Postfix has the same fact. They are
 * collected and written at the end of a turn of the loop, never one system
 * call each.
 *
 * Error: somebody must act. Warning: it will get worse. Info: a message
 * changed state. Debug: everything else, off by default.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdarg.h>

#include "attr.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/*
 * name: what stands before the brackets, such as "packetboat/smtpd".
 * to: "stderr", "syslog" or "file:PATH". The file or the socket is opened here,
 * so that a confined process can go on writing. Before log_open lines go to
 * standard error. Returns 0 or -errno.
 */
int log_open(const char *name, const char *to) MUST_CHECK;

/* Lines above this level are dropped. Default: info. */
void log_set_level(enum log_level level);

/* Text of untrusted origin must have gone through str_safe. */
void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

/* Writes what is collected. The loop does it; needed before _exit. */
void log_flush(void);

/* Only before a daemon is ready: logs an error, flushes, exits with 1. */
void fatal(const char *fmt, ...) PRINTF(1, 2) NORETURN;

#endif
