/*
 * What is known about a client's address in this process: connections now,
 * and failed logins of late.
 */
#ifndef SMTPD_CLIENT_H
#define SMTPD_CLIENT_H

#include <stdbool.h>

#include "attr.h"
#include "domain.h"

struct client;

/* Reads mynetworks. Returns 0; -EINVAL, then *bad is the word at fault. */
int client_init(const char *networks, const char **bad) MUST_CHECK;
void client_fini(void);

/* Is the address in mynetworks? IPv4-mapped addresses count as IPv4. */
bool client_is_trusted(const struct domain_ip *ip);

/*
 * One connection more from ip (text). Returns NULL with *why, a reply with
 * 421, when the address has too many, or too many failed logins. A client is
 * given back by client_leave.
 */
struct client *client_enter(const char *ip, bool is_trusted, const char **why);
void client_leave(struct client *c);

/* Something of it was refused: may that be written down, within
 * submission_log_client_limit? */
bool client_note_refusal(struct client *c);

/* A login failed. */
void client_note_failure(struct client *c);

/* A login did not: failures of others at the address (one application with an
 * old key, a neighbour behind the same NAT) do not shut it out for a while. */
void client_note_login(struct client *c);

#endif
