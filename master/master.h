/*
 * The parts of master: the only process that may run as root. It parses
 * nothing that comes from outside but the messages of its own children and of
 * administrators' tools; the text of an alert it hands on unread.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"
#include "buf.h"
#include "conf.h"
#include "ipc.h"
#include "peer.h"
#include "tool.h"

/* The configuration in force. */
const struct conf *master_conf(void);

/* All processes are ready for the first time: tells whoever waits. */
void master_ready(void);

/* ---- services.c: which processes there are, and who talks to whom -------- */

struct service_row {
	enum role role;
	const char *name;
	const char *directory; /* own, under state_directory; NULL: none */
	/* A new one may run beside an old one that finishes its work. */
	bool is_overlapping;
};
extern const struct service_row service_rows[];
extern const unsigned n_service_rows;

/* How many processes of the role the configuration asks for. */
unsigned service_count(const struct service_row *row, const struct conf *c);
/* Whether the two roles have a channel. */
bool service_talks(enum role a, enum role b);

/* ---- phases.c: start, stop, reload of all -------------------------------- */

/* Starts everything. The suite ends with exit status 1 when a process does
 * not become ready this first time; later it is started again, waiting
 * longer each time. */
void phases_start(void);
/* Finishes all work and ends the loop when the last process is gone. */
void phases_stop(void);
/* Replaces every process by one with the new configuration, in turn. */
void phases_reload(void);

/* ---- child.c: the processes ---------------------------------------------- */

/* Called when a child may have died (SIGCHLD). */
void child_reap(void);
/* Whether all processes are ready. */
bool child_all_ready(void);
/* The running process of a role (index 0), or NULL. */
struct peer *child_peer(enum role role);
/* A line for each process, for packetboat status. */
void child_status(struct tool *t);
/* Calls fn for every running process of a role. */
void child_each(enum role role, void (*fn)(struct peer *p));
/* What master exits with. */
int child_exit_status(void);
void child_fini(void);

/* ---- listen.c: listening sockets ---------------------------------------- */

/* Binds what smtpd_listen asks for, keeping what is bound already. 0, or
 * -errno with one line in *error (then nothing has changed). */
int listen_bind(const struct conf *c, struct buf *error) MUST_CHECK;
/* Sends every socket to a new smtpd. */
void listen_send(struct peer *smtpd);
void listen_fini(void);

/* ---- tickets.c: keys of TLS session tickets ------------------------------ */

/* Sends a new smtpd the keys; all get new ones when their time is over. */
void tickets_send(struct peer *smtpd);
void tickets_fini(void);

/* ---- spool_files.c: files for writers ----------------------------------- */

/* Takes the next incarnation number; it is durable. 0 or -errno + error. */
int spool_files_init(const struct conf *c, struct buf *error) MUST_CHECK;
/* Answers file_req. */
void spool_files_on_req(struct peer *p, uint32_t id, const void *m);

/* ---- alert.c: alert_command ---------------------------------------------- */

/* Answers alert_run_req, when the command has ended. */
void alert_on_run(struct peer *p, uint32_t id, const void *m);
/* A child has ended. False: it was no command. */
bool alert_reaped(pid_t pid, int status);
void alert_fini(void);

/* ---- directories.c ------------------------------------------------------ */

/* Makes the directories of the instance with their owners and modes. */
int directories_make(const struct conf *c, struct buf *error) MUST_CHECK;
/* As root: the ids of a daemon's user. 0 or -errno + error. As a plain user
 * *uid and *gid are its own. */
int directories_user(const struct conf *c, const char *daemon, unsigned *uid,
    unsigned *gid, struct buf *error) MUST_CHECK;

/* ---- control.c: the tools' socket --------------------------------------- */

int control_open(const struct conf *c, struct buf *error) MUST_CHECK;
void control_close(void);

#endif
