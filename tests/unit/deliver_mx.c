#include "deliver_mx.h"

#include <string.h>

#include "deliver_world.h"

int
mx_setup(void **state)
{
	(void)state;
	world_start("");
	world_host("mx.example", 10, "192.0.2.1");
	return 0;
}

int
mx_teardown(void **state)
{
	(void)state;
	world_stop();
	return 0;
}

void
mx_give_job(uint64_t job, uint16_t conn_limit)
{
	world_job(&(struct world_mail){
	    .job = job, .conn_limit = conn_limit, .content = MX_CONTENT });
	world_settle();
}

void
mx_say(unsigned conn, const char *text)
{
	world_send(conn, text, strlen(text));
	world_settle();
}

void
mx_take(unsigned conn)
{
	mx_say(conn, "250 ok\r\n250 ok\r\n354 go\r\n");
	mx_say(conn, "250 2.0.0 taken\r\n");
}

void
mx_hello(unsigned conn)
{
	mx_say(conn, "220 mx\r\n");
	mx_say(conn, "250-mx\r\n250 PIPELINING\r\n");
}
