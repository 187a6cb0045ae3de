/*
 * Verdicts and flags that accountd gives and smtpd obeys.
 */
#ifndef LIB_ACCOUNT_H
#define LIB_ACCOUNT_H

enum account_verdict {
	ACCOUNT_OK = 0,
	ACCOUNT_BAD_CREDENTIALS = 1, /* 535 5.7.8 */
	ACCOUNT_UNKNOWN = 2,	     /* 550 5.7.1 no such account */
	ACCOUNT_TRY_LATER = 3,	     /* 454 4.7.0 */
	ACCOUNT_NOT_ALLOWED = 4,     /* 535 5.7.8 key not for SMTP or client */
	ACCOUNT_SUBACCOUNT = 5,	     /* 550 5.7.1 no such subaccount */
};

/* flags of auth_rep */
#define ACCOUNT_UNSIGNED_OK 1u /* unsigned=allow: domains are not checked */
#define ACCOUNT_TEST 2u	       /* accept and record, never deliver */

/* flags of tx_rep */
#define TX_TEST 1u
#define TX_HELD 2u	   /* paused: accepted and held */
#define TX_PLAIN_SENDER 4u /* keep MAIL FROM: the account wants DSNs itself */

/* What an address of ours on the mx listener is. */
enum inbound_kind {
	INBOUND_NONE = 0,
	INBOUND_RETURN_PATH = 1, /* bounces+TOKEN@ */
	INBOUND_FEEDBACK = 2,	 /* complaints by ARF */
	INBOUND_ROLE = 3,	 /* postmaster@, abuse@ */
};

#endif
