#include "tool.h"

#include <stdarg.h>
#include <stdio.h>

#include "buf.h"
#include "loop.h"
#include "peer.h"
#include "tool_serve.h"

#define OUT_BYTES (48 * 1024)
#define FULL_BYTES (1024 * 1024)

struct tool {
	struct peer *peer;
	void (*serve)(struct tool *t);
	uint32_t uid;
	char *command;
	json_t *args;
	struct buf out;
	struct loop_defer flush;
	void (*gone)(struct tool *t, void *arg);
	void (*drained)(struct tool *t, void *arg);
	void *async_arg;
	void (*data)(struct tool *t, struct str data, int is_last, void *arg);
	void *data_arg;
};

static void
tool_free(struct tool *t)
{
	loop_defer_cancel(&t->flush);
	json_decref(t->args);
	free(t->command);
	buf_fini(&t->out);
	free(t);
}

static void
on_down(struct peer *p, const char *error)
{
	struct tool *t = peer_arg(p);

	(void)error;
	t->peer = NULL;
	if (t->gone != NULL) {
		t->gone(t, t->async_arg);
	}
	tool_free(t);
}

static void
on_drained(struct peer *p)
{
	struct tool *t = peer_arg(p);

	if (t->drained != NULL) {
		t->drained(t, t->async_arg);
	}
}

static void
on_request(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_tool_req *m = msg;
	struct tool *t = peer_arg(p);
	json_error_t e;

	(void)id;
	if (t->command != NULL) {
		return; /* one command a connection */
	}
	t->command = str_dup(m->command);
	t->args = json_loadb(m->args.p != NULL ? m->args.p : "", m->args.len,
	    JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(t->args)) {
		json_decref(t->args);
		t->args = json_object();
		tool_end(t, 65, "the arguments are not a JSON object");
		return;
	}
	t->serve(t);
}

static void
on_data(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_tool_data *m = msg;
	struct tool *t = peer_arg(p);

	(void)id;
	if (t->data != NULL) {
		t->data(t, m->data, m->is_last, t->data_arg);
	}
}

static const struct peer_handler handlers[] = {
	{ IPC_tool_req, on_request },
	{ IPC_tool_data, on_data },
	{ 0, NULL },
};

void
tool_serve(int fd, enum role self, uint32_t uid, void (*serve)(struct tool *t))
{
	struct tool *t = mem_alloc(sizeof(*t));

	t->uid = uid;
	t->serve = serve;
	t->peer = peer_new(fd,
	    &(struct peer_config){ .self = self,
		.role = ROLE_TOOL,
		.handlers = handlers,
		.down = on_down,
		.drained = on_drained,
		.arg = t });
}

const char *
tool_command(const struct tool *t)
{
	return t->command;
}

json_t *
tool_args(const struct tool *t)
{
	return t->args;
}

const char *
tool_arg(const struct tool *t, const char *name)
{
	const char *s = json_string_value(json_object_get(t->args, name));

	return s != NULL ? s : "";
}

uint32_t
tool_uid(const struct tool *t)
{
	return t->uid;
}

static void
flush_out(void *arg)
{
	struct tool *t = arg;

	for (size_t at = 0; at < t->out.len;) {
		size_t n = t->out.len - at;
		struct ipc_tool_out m;

		n = n < OUT_BYTES ? n : OUT_BYTES;
		m.data = (struct str){ (char *)t->out.p + at, n };
		(void)peer_send(t->peer, IPC_tool_out, 0, &m);
		at += n;
	}
	buf_clear(&t->out, OUT_BYTES);
}

static int
add_text(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

void
tool_out(struct tool *t, json_t *line)
{
	(void)json_dump_callback(line, add_text, &t->out, JSON_COMPACT);
	json_decref(line);
	buf_u8(&t->out, '\n');
	if (t->out.len >= OUT_BYTES) {
		flush_out(t);
	} else {
		loop_defer(&t->flush, flush_out, t);
	}
}

void
tool_end(struct tool *t, int status, const char *fmt, ...)
{
	char text[1024] = "";
	struct ipc_tool_end m = { .status = (uint32_t)status };

	if (fmt != NULL) {
		va_list ap;

		va_start(ap, fmt);
		(void)vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
	}
	m.error = str_of(text);
	flush_out(t);
	(void)peer_send(t->peer, IPC_tool_end, 0, &m);
	peer_finish(&t->peer);
	tool_free(t);
}

void
tool_async(struct tool *t, void (*gone)(struct tool *t, void *arg),
    void (*drained)(struct tool *t, void *arg), void *arg)
{
	t->gone = gone;
	t->drained = drained;
	t->async_arg = arg;
}

int
tool_is_full(const struct tool *t)
{
	return t->out.len + peer_queued(t->peer) > FULL_BYTES;
}

void
tool_read(struct tool *t,
    void (*data)(struct tool *t, struct str data, int is_last, void *arg),
    void *arg)
{
	t->data = data;
	t->data_arg = arg;
}
