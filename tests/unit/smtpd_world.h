/*
 * What stands around smtpd's sessions in tests: accountd, signd, qmgr, the
 * log and the files, all in this process and as the test wants them. Links
 * instead of lib/service.c, lib/peer.c, lib/plog_writer.c, smtpd/bigfile.c.
 */
#ifndef TESTS_SMTPD_WORLD_H
#define TESTS_SMTPD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "event.h"
#include "ipc.h"

/* The only segment there is. */
#define WORLD_SEGMENT 0x0100000100000001ULL

/* How a process around us behaves. */
enum world_mood {
	WORLD_OK,
	WORLD_REFUSES,
	WORLD_SILENT, /* requests run into their deadline */
	WORLD_DOWN,   /* there is no channel */
};

/* What the log does with what it is given. */
enum world_log {
	WORLD_LOG_OK,
	WORLD_LOG_LATE, /* done when world_log_done is called */
	WORLD_LOG_EIO,
	WORLD_LOG_ENOSPC,
	WORLD_LOG_NO_FILE,  /* master has none */
	WORLD_LOG_NO_REPLY, /* master does not answer */
};

/* One message as it was given to the log. */
struct world_message {
	struct buf record;	     /* encoded accepted event */
	struct buf content;	     /* with the big body behind */
	struct event_accepted event; /* decoded from record */
};

struct world {
	enum world_mood accountd;
	enum world_mood signd;
	enum world_log log;
	bool is_big_failing;
	uint16_t code; /* WORLD_REFUSES, for tx_rep and rcpt_rep */
	const char *enh;
	const char *text;
	uint8_t verdict; /* WORLD_REFUSES, for auth_rep */
	const char *sign_domain;
	uint32_t tx_flags;
	uint64_t suppressed; /* bits of the first 64 recipients */
	uint8_t kind;	     /* of an inbound address */
	unsigned tx_requests;
	unsigned sign_requests;
	unsigned sign_fds;
	unsigned auth_requests;
	unsigned client_requests;
	unsigned durable_sent;
	struct str last_password; /* in password_space */
	char password_space[512];
	struct buf signed_header;
	struct world_message *messages;
	size_t n_messages;
	bool is_over; /* service_exit was called */
};

extern struct world world;

/* Reads the lines of a packetboat.cf and starts smtpd. Exits on a mistake in
 * them. */
void world_start(const char *cf);

/* Stops smtpd and frees everything. */
void world_stop(void);

/* Forgets the messages and counts so far. */
void world_forget(void);

/* What the log was given late is done now, or has failed (status). */
void world_log_done(int status);

/* A message to smtpd, as from a process of that role. */
void world_tell(enum role from, enum ipc_type type, const void *m);

#endif
