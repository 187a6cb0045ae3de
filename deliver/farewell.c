/*
 * The end of a connection to a destination whose connections are limited: its
 * server counts it until it has read QUIT and closed, so another one must not
 * be opened in its place before.
 */
#include "service.h"
#include "session.h"

void
farewell_begin(struct session *s)
{
	bug_on(s->job != NULL);
	content_close(&s->tx.content);
	path_session_parting(s);
	stream_write(s->stream, "QUIT\r\n", 6);
	session_phase(s, PHASE_QUIT);
	s->generation++;
	session_settle(s);
}

void
farewell_event(struct session *s, enum stream_event ev)
{
	switch (ev) {
	case STREAM_READABLE:
		stream_consume(s->stream, stream_input(s->stream).len);
		break;
	case STREAM_CONNECTED:
	case STREAM_DRAINED:
	case STREAM_TLS_DONE:
		break;
	case STREAM_EOF:
	case STREAM_ERROR:
	case STREAM_TIMEOUT:
		stream_free(&s->stream);
		path_session_parted(s);
		session_bury(s);
		break;
	}
}
