#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include "buf.h"
#include "ipc.h"

static const char *progname = "packetboat";
static const char *usage_text = "";
static const char *config_dir; /* NULL: the default */
static struct conf *config;
static bool wants_json;
static bool is_down;

const struct conf *
client_conf(void)
{
	return config;
}

const char *
client_directory(void)
{
	return conf_directory(config_dir);
}

bool
client_wants_json(void)
{
	return wants_json;
}

bool
client_is_down(void)
{
	return is_down;
}

void
client_usage(const char *what)
{
	if (what != NULL) {
		fprintf(stderr, "%s: %s\n", progname, what);
	}
	fputs(usage_text, stderr);
	exit(EX_USAGE);
}

void
client_die(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", progname);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

void
client_options(int *argc, char **argv, const char *usage)
{
	const char *slash = strrchr(argv[0], '/');
	int n = 1, i;

	progname = slash != NULL ? slash + 1 : argv[0];
	usage_text = usage;
	for (i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < *argc) {
			config_dir = argv[++i];
		} else if (strcmp(argv[i], "--json") == 0) {
			wants_json = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			exit(EX_OK);
		} else {
			argv[n++] = argv[i];
		}
	}
	for (; i < *argc; i++) {
		argv[n++] = argv[i];
	}
	argv[n] = NULL;
	*argc = n;
}

void
client_load(void)
{
	struct buf error = { 0 };

	if (conf_load(config_dir, &config, &error) < 0) {
		client_die(EX_CONFIG, "%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
}

void
client_init(int *argc, char **argv, const char *usage)
{
	client_options(argc, argv, usage);
	client_load();
}

const char *
client_str(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

json_int_t
client_int(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* ---- arguments ------------------------------------------------------------
 */

void
client_print_nothing(json_t *line, void *arg)
{
	(void)line;
	(void)arg;
}

void
client_set(json_t *args, const char *name, const char *value)
{
	if (value != NULL &&
	    json_object_set_new(args, name, json_string(value)) < 0) {
		client_die(EX_DATAERR, "%s: not UTF-8", name);
	}
}

json_t *
client_settings(char **words, const char *prefix)
{
	json_t *settings = json_object();

	for (; *words != NULL; words++) {
		char *equals = strchr(*words, '=');
		char name[128];

		if (equals == NULL || equals == *words) {
			client_usage("a setting is name=value");
		}
		*equals = '\0';
		(void)snprintf(name, sizeof(name), "%s%s", prefix, *words);
		client_set(settings, name, equals + 1);
	}
	return settings;
}

/* ---- the control socket ------------------------------------------------- */

/* The connected socket; -1, having said why, when the suite is not there. */
static int
connect_control(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int e;

	if (fd < 0) {
		client_die(EX_OSERR, "socket: %s", strerror(errno));
	}
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/control",
	    config->run_directory);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0) {
		return fd;
	}
	e = errno;
	(void)close(fd);
	if (e != ENOENT && e != ECONNREFUSED) {
		client_die(e == EACCES ? EX_NOPERM : EX_OSERR, "%s: %s",
		    a.sun_path, strerror(e));
	}
	is_down = true;
	fprintf(stderr, "%s: the mail system is down\n", progname);
	return -1;
}

static void
send_message(int fd, enum ipc_type type, const void *m)
{
	struct buf packet = { 0 };

	if (ipc_encode(&packet, type, 0, m) < 0) {
		client_die(EX_DATAERR, "an argument is too long");
	}
	/* A connection that is gone shows when the answer is read. */
	(void)!send(fd, packet.p, packet.len, MSG_NOSIGNAL);
	buf_fini(&packet);
}

static void
send_data(int fd, int from)
{
	static char data[32 * 1024];
	struct ipc_tool_data m = { 0 };

	do {
		ssize_t n = read(from, data, sizeof(data));

		if (n < 0) {
			client_die(EX_IOERR, "reading: %s", strerror(errno));
		}
		m.data = (struct str){ data, (size_t)n };
		m.is_last = n == 0;
		send_message(fd, IPC_tool_data, &m);
	} while (!m.is_last);
}

/* ---- the answer --------------------------------------------------------- */

struct reply {
	struct buf text; /* output whose line is not complete */
	void (*line)(json_t *line, void *arg);
	void *arg;
	bool is_over;
	int status;
};

static void
take_lines(struct reply *r)
{
	const uint8_t *end;

	while (r->text.len != 0 &&
	    (end = memchr(r->text.p, '\n', r->text.len)) != NULL) {
		size_t n = (size_t)(end - r->text.p);

		if (r->line == NULL) {
			(void)fwrite(r->text.p, 1, n + 1, stdout);
		} else {
			json_t *line =
			    json_loadb((const char *)r->text.p, n, 0, NULL);

			if (line == NULL) {
				client_die(EX_PROTOCOL, "unexpected answer");
			}
			r->line(line, r->arg);
			json_decref(line);
		}
		buf_drop(&r->text, n + 1);
	}
}

static void
take_packet(struct reply *r, struct str packet)
{
	static _Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	struct ipc_head head;

	while (ipc_decode(&packet, ROLE_DAEMONS | ROLE_MASTER, ROLE_TOOL, &head,
		   rec) == 0) {
		if (head.type == IPC_tool_out) {
			const struct ipc_tool_out *m = (const void *)rec;

			buf_add(&r->text, m->data.p, m->data.len);
			take_lines(r);
		} else if (head.type == IPC_tool_end) {
			const struct ipc_tool_end *m = (const void *)rec;

			r->is_over = true;
			r->status = (int)m->status;
			if (m->error.len != 0) {
				fflush(stdout);
				fprintf(stderr, "%s: %.*s\n", progname,
				    STR_ARG(m->error));
			}
		}
	}
}

static int
read_reply(int fd, void (*line)(json_t *line, void *arg), void *arg)
{
	static char packet[IPC_PACKET_MAX];
	struct reply r = { .line = line, .arg = arg };
	bool was_reset = false;

	while (!r.is_over) {
		ssize_t n = recv(fd, packet, sizeof(packet), 0);

		/* A daemon that answers before it has read all of our data
		 * closes with a reset; the answer is behind it. */
		if (n < 0 &&
		    (errno == EINTR || (errno == ECONNRESET && !was_reset))) {
			was_reset = was_reset || errno == ECONNRESET;
			continue;
		}
		if (n <= 0) {
			client_die(EX_TEMPFAIL,
			    "the daemon ended before it answered: see the log");
		}
		take_packet(&r, (struct str){ packet, (size_t)n });
	}
	buf_fini(&r.text);
	return r.status;
}

int
client_call_data(const char *service, const char *command, json_t *args,
    int data, void (*line)(json_t *line, void *arg), void *arg)
{
	struct ipc_tool_hello hello = { str_of(service), str_of(command) };
	struct ipc_tool_req req = { .command = str_of(command) };
	autofree char *text = json_dumps(args, JSON_COMPACT);
	autoclose int fd = connect_control();

	json_decref(args);
	if (fd < 0) {
		return EX_UNAVAILABLE;
	}
	req.args = str_of(text);
	send_message(fd, IPC_tool_hello, &hello);
	send_message(fd, IPC_tool_req, &req);
	if (data >= 0) {
		send_data(fd, data);
	}
	return read_reply(fd, line, arg);
}

int
client_call(const char *service, const char *command, json_t *args,
    void (*line)(json_t *line, void *arg), void *arg)
{
	return client_call_data(service, command, args, -1, line, arg);
}
