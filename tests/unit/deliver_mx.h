/*
 * A deliver whose only destination has one server, mx.example at 192.0.2.1:
 * its jobs, and what that server says.
 */
#ifndef TESTS_DELIVER_MX_H
#define TESTS_DELIVER_MX_H

#include <stdint.h>

#include "str.h"

#define MX_CONTENT STR("Subject: x\r\n\r\ntext\r\n")

/* For cmocka: before and after each test. */
int mx_setup(void **state);
int mx_teardown(void **state);

/* A job from qmgr; the path has at most so many connections, 0: ten. */
void mx_give_job(uint64_t job, uint16_t conn_limit);
/* What the server sends over a connection, numbered as they were opened. */
void mx_say(unsigned conn, const char *text);
/* It greets, and offers PIPELINING. */
void mx_hello(unsigned conn);
/* It takes one message; the dialogue is open. */
void mx_take(unsigned conn);

#endif
