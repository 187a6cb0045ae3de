/*
 * What several daemons must agree on about the spool (packetboat-spool(5)).
 */
#ifndef LIB_SPOOL_H
#define LIB_SPOOL_H

/* Files that master makes for writers (file_req). */
enum spool_file {
	SPOOL_SEGMENT = 0, /* msg/<writer>/<incarnation>-<number>.seg */
	SPOOL_BIG = 1,	   /* big/<number, 16 hex>.msg */
};

/* How much new mail is wanted (pressure). */
enum pressure {
	PRESSURE_NONE = 0,
	PRESSURE_DISK = 1,   /* 452 4.3.1: free space is short */
	PRESSURE_MEMORY = 2, /* 452 4.3.1: the queue is at its limit */
};

/*
 * Writers by number: 0 to 239 smtpd processes, 240 bouncer, 241 qmgr
 * (survivors copied out), 255 the journal.
 */
#define SPOOL_WRITER_BOUNCER 240
#define SPOOL_WRITER_QMGR 241

/* The rest of a message above this stays in a file of its own, bytes. */
#define SPOOL_BIG_FROM (256 * 1024)

#endif
