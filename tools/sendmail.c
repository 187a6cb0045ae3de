/* sendmail(1): Postfix's command, for programs that call it to send mail. */
#include <errno.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "compose.h"
#include "smtp_param.h"
#include "submit.h"

static const char usage[] =
    "usage: sendmail [-c DIR] [-itv] [-f SENDER] [-F NAME] [-N WHEN]\n"
    "                [-R full|hdrs] [-V ENVID] [RECIPIENT...]\n"
    "       sendmail [-c DIR] -bs\n"
    "       sendmail [-c DIR] -bp\n"
    "       sendmail [-c DIR] -q\n";

enum mode {
	MODE_SEND,
	MODE_SMTP,  /* -bs */
	MODE_LIST,  /* -bp */
	MODE_FLUSH, /* -q */
	MODE_NONE,  /* -bi, newaliases: there is nothing to do */
};

struct options {
	enum mode mode;
	const char *sender; /* NULL: the user */
	const char *name;   /* NULL: as the system knows the user */
	bool ignores_dots;
	bool takes_header; /* -t */
	bool is_verbose;
	struct buf mail_params;
	struct buf rcpt_params;
};

/* ---- options --------------------------------------------------------------
 */

static void
set_mode(struct options *o, const char *arg)
{
	switch (arg[0]) {
	case 'm':
		o->mode = MODE_SEND;
		break;
	case 's':
		o->mode = MODE_SMTP;
		break;
	case 'p':
		o->mode = MODE_LIST;
		break;
	case 'i':
		o->mode = MODE_NONE;
		break;
	default:
		client_die(EX_USAGE, "-b%s is not supported", arg);
	}
}

/* -N never, or a list of success, failure and delay (RFC 3461). */
static void
set_notify(struct options *o, const char *arg)
{
	struct buf param = { 0 };
	struct smtp_rcpt_params parsed;
	struct smtp_param_bad bad;

	buf_printf(&param, "NOTIFY=%s", arg);
	if (smtp_param_parse_rcpt((const char *)param.p, param.len,
		SMTP_PARAM_NOTIFY, false, &parsed, &bad) < 0) {
		client_die(EX_USAGE,
		    "-N %s: never, or some of success,failure,delay", arg);
	}
	buf_printf(&o->rcpt_params, " NOTIFY=%s", arg);
	buf_fini(&param);
}

static void
set_mail_param(struct options *o, const char *name, const char *value)
{
	struct buf param = { 0 };
	struct smtp_mail_params parsed;
	struct smtp_param_bad bad;

	buf_printf(&param, "%s=%s", name, value);
	if (smtp_param_parse_mail((const char *)param.p, param.len,
		SMTP_PARAM_RET | SMTP_PARAM_ENVID, &parsed, &bad) < 0) {
		client_die(
		    EX_USAGE, "%s: not a value of %s (RFC 3461)", value, name);
	}
	buf_printf(&o->mail_params, " %s=%s", name, value);
	buf_fini(&param);
}

/* Old options that say how sendmail should behave; one matters. */
static void
set_old_option(struct options *o, const char *arg)
{
	if (arg[0] == 'i') {
		o->ignores_dots = true;
	} else if (arg[0] == 't') {
		o->takes_header = true;
	}
}

static void
take_option(struct options *o, int c, const char *arg)
{
	switch (c) {
	case 'b':
		set_mode(o, arg);
		break;
	case 'f':
	case 'r':
		o->sender = arg;
		break;
	case 'F':
		o->name = arg;
		break;
	case 'i':
		o->ignores_dots = true;
		break;
	case 'I':
		o->mode = MODE_NONE;
		break;
	case 'N':
		set_notify(o, arg);
		break;
	case 'o':
		set_old_option(o, arg);
		break;
	case 'R':
		set_mail_param(o, "RET", arg);
		break;
	case 'V':
		set_mail_param(o, "ENVID", arg);
		break;
	case 't':
		o->takes_header = true;
		break;
	case 'v':
		o->is_verbose = true;
		break;
	case '?':
		client_usage(NULL);
	default:
		break; /* known to Postfix, without a meaning here */
	}
}

static void
parse(struct options *o, int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *called = slash != NULL ? slash + 1 : argv[0];
	int c;

	if (strcmp(called, "mailq") == 0) {
		o->mode = MODE_LIST;
	} else if (strcmp(called, "newaliases") == 0) {
		o->mode = MODE_NONE;
	}
	/* getopt has no option whose argument may be missing as -q's may. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "-q", 2) == 0) {
			o->mode = MODE_FLUSH;
			return;
		}
	}
	while ((c = getopt(argc, argv,
		    "A:B:C:F:GIL:N:O:R:UV:X:b:ef:h:imno:p:r:tvx")) != -1) {
		take_option(o, c, optarg);
	}
}

/* ---- who ------------------------------------------------------------------
 */

/* The login name and, unless -F gives it, the full name. */
static void
find_user(const struct options *o, const char **login, struct buf *name)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *full = pw != NULL ? pw->pw_gecos : "";

	*login = pw != NULL ? pw->pw_name : "nobody";
	if (o->name != NULL) {
		buf_puts(name, o->name);
	} else {
		buf_add(name, full, strcspn(full, ","));
	}
}

/* An encoded word has room for so many bytes (RFC 2047 section 2). */
#define NAME_MAX_BYTES 45

static bool
is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] > 126) {
			return false;
		}
	}
	return true;
}

static void
put_quoted(struct str name, struct buf *out)
{
	buf_puts(out, "\"");
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\') {
			buf_puts(out, "\\");
		}
		if ((unsigned char)name.p[i] >= ' ') {
			buf_add(out, name.p + i, 1);
		}
	}
	buf_puts(out, "\"");
}

/* A From field's value. A name that is too long to be encoded is left out. */
static void
make_from(struct str name, struct str address, struct buf *out)
{
	unsigned char word[2 * NAME_MAX_BYTES];

	if (is_ascii(name) && name.len > 0) {
		put_quoted(name, out);
	} else if (name.len > 0 && name.len <= NAME_MAX_BYTES) {
		(void)EVP_EncodeBlock(
		    word, (const unsigned char *)name.p, (int)name.len);
		buf_printf(out, "=?utf-8?B?%s?=", (const char *)word);
	}
	buf_printf(out, out->len > 0 ? " <%.*s>" : "%.*s", STR_ARG(address));
}

/* ---- sending --------------------------------------------------------------
 */

static struct str
without_brackets(struct str address)
{
	address = str_trim(address);
	if (address.len >= 2 && address.p[0] == '<' &&
	    address.p[address.len - 1] == '>') {
		address.p++;
		address.len -= 2;
	}
	return address;
}

static void
read_message(const struct options *o, struct buf *out)
{
	size_t limit = client_conf()->message_size_limit;
	int r = compose_read(stdin, !o->ignores_dots, limit, out);

	if (r == -EMSGSIZE) {
		client_die(EX_DATAERR,
		    "the message is larger than message_size_limit (%zu bytes)",
		    limit);
	}
	if (r < 0) {
		client_die(EX_IOERR, "standard input: %s", strerror(-r));
	}
}

static void
submit(const struct options *o, struct submit_envelope *e, struct str content)
{
	struct submit *s = submit_open();
	const char *text;

	e->mail_params = (const char *)o->mail_params.p;
	e->rcpt_params = (const char *)o->rcpt_params.p;
	text = submit_message(s, e, content);
	if (o->is_verbose) {
		char safe[1024];

		printf("%s\n", str_safe(safe, sizeof(safe), str_of(text)));
	}
	submit_close(&s);
}

static void
send_mail(struct options *o, char **rcpts, int n_rcpts)
{
	const char *host = client_conf()->myhostname, *login;
	struct buf name = { 0 }, from = { 0 }, raw = { 0 }, content = { 0 };
	struct compose_list to = { NULL, 0 }, sender = { NULL, 0 };
	struct submit_envelope e = { .sender = STR("") };
	struct str address, bad;

	find_user(o, &login, &name);
	address =
	    without_brackets(str_of(o->sender != NULL ? o->sender : login));
	compose_list_add(
	    &sender, address.len > 0 ? address : str_of(login), host);
	make_from(buf_str(&name), sender.all[0], &from);
	buf_add(&from, "", 1);
	if (address.len > 0) {
		e.sender = sender.all[0];
	}
	for (int i = 0; i < n_rcpts; i++) {
		compose_list_add(&to, without_brackets(str_of(rcpts[i])), host);
	}
	if (to.n == 0 && !o->takes_header) {
		client_usage("name the recipients, or give -t to take them "
			     "from the header");
	}
	read_message(o, &raw);
	if (compose_message(buf_str(&raw), host, (const char *)from.p,
		o->takes_header ? &to : NULL, &content, &bad) < 0) {
		client_die(EX_DATAERR, "the addresses in %.*s: cannot be read",
		    STR_ARG(bad));
	}
	if (to.n == 0) {
		client_die(EX_DATAERR, "no recipients in the header");
	}
	e.rcpts = to.all;
	e.n_rcpts = to.n;
	submit(o, &e, buf_str(&content));
	compose_list_fini(&to);
	compose_list_fini(&sender);
	buf_fini(&name);
	buf_fini(&from);
	buf_fini(&raw);
	buf_fini(&content);
}

/* ---- the queue ------------------------------------------------------------
 */

static void
run_pbqueue(const char *const *words)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/pbqueue", PB_BINDIR);
	(void)setenv("PACKETBOAT_CONFIG", client_conf()->dir, 1);
	(void)execl(path, "pbqueue", words[0], words[1], NULL);
	client_die(EX_OSFILE, "%s: %s", path, strerror(errno));
}

int
main(int argc, char **argv)
{
	static const char *const list[] = { "-p", NULL };
	static const char *const flush[] = { "retry", "ALL" };
	struct options o = { .mode = MODE_SEND };

	client_init(&argc, argv, usage);
	parse(&o, argc, argv);
	buf_add(&o.mail_params, "", 1);
	buf_add(&o.rcpt_params, "", 1);
	switch (o.mode) {
	case MODE_SMTP:
		submit_pass_through();
		break;
	case MODE_LIST:
		run_pbqueue(list);
		break;
	case MODE_FLUSH:
		run_pbqueue(flush);
		break;
	case MODE_SEND:
		send_mail(&o, argv + optind, argc - optind);
		break;
	case MODE_NONE:
		break;
	}
	buf_fini(&o.mail_params);
	buf_fini(&o.rcpt_params);
	return EX_OK;
}
