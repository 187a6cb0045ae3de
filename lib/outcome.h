/*
 * What became of one recipient in one attempt: deliver's word to qmgr.
 */
#ifndef LIB_OUTCOME_H
#define LIB_OUTCOME_H

enum outcome {
	OUTCOME_DELIVERED = 0,
	OUTCOME_DEFERRED = 1,  /* temporary: try again by schedule */
	OUTCOME_FAILED = 2,    /* permanent: bounce or soft_bounce by class */
	OUTCOME_RETURNED = 3,  /* not tried: give it out again at once */
	OUTCOME_DAMAGED = 4,   /* the spool's bytes fail their checksum */
	OUTCOME_UNCERTAIN = 5, /* lost after the final dot: deferred, but it
				* may have been taken (RFC 1047) */
};

/* Whether the way there failed, and not the recipient. */
enum connect_failure {
	CONNECT_FINE = 0,
	CONNECT_FAILED = 1, /* no server of the path could be reached */
	CONNECT_UNFIT = 2,  /* our address cannot be used for it: it is not
			     * this machine's, or of another family */
};

#endif
