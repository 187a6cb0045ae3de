/*
 * genlists: writes the lists of the manual from the tables that the programs
 * are made of, so that the two cannot differ. What the tables do not hold,
 * the comments beside their rows, is read from the .def files.
 *
 *   genlists events|parameters|messages|classes|replies LIB <template >page
 *
 * A line "@LIST@" of the template becomes the list.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "event_plan.h"
#include "ipc.h"
#include "param.h"
#include "reason.h"
#include "reply_list.h"
#include "roff.h"

#define MARKER "@LIST@\n"

/* clang-format off */
static const enum ipc_type ipc_types[] = {
#define IPC_BEGIN(name, number, from, to) IPC_##name,
#define IPC_END(name)
#define REC_NONE
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_SECRET(f, max)
#define REC_BLOB(f, max)
#include "ipc.def"
#include "rec_undef.h"
#undef IPC_BEGIN
#undef IPC_END
};
/* clang-format on */

static void
fail(const char *what)
{
	fprintf(stderr, "genlists: %s\n", what);
	exit(1);
}

/* ---- comments of the .def files ----------------------------------------- */

static char *
read_text(const char *dir, const char *name)
{
	struct buf text = { 0 };
	char path[4096];
	FILE *f;
	int c;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (f == NULL) {
		fail(path);
	}
	while ((c = fgetc(f)) != EOF) {
		buf_u8(&text, (uint8_t)c);
	}
	(void)fclose(f);
	buf_u8(&text, 0);
	return (char *)text.p;
}

/* Copies a comment's words, without its frame and line ends. */
static void
copy_comment(struct buf *out, const char *p, const char *end)
{
	bool blank = true;

	while (p < end) {
		bool is_frame = *p == '*' && blank;

		if (isspace((unsigned char)*p) || is_frame) {
			blank = blank || !is_frame;
			if (out->len != 0 && out->p[out->len - 1] != ' ') {
				buf_u8(out, ' ');
			}
		} else {
			buf_u8(out, (uint8_t)*p);
			blank = false;
		}
		p++;
	}
	while (out->len != 0 && out->p[out->len - 1] == ' ') {
		out->len--;
	}
}

/* The comment that stands right before p; a rule of dashes is none. */
static void
comment_before(struct buf *out, const char *text, const char *p)
{
	const char *end, *begin;

	while (p > text && isspace((unsigned char)p[-1])) {
		p--;
	}
	if (p - text < 4 || p[-1] != '/' || p[-2] != '*') {
		return;
	}
	end = p - 2;
	for (begin = end; begin > text; begin--) {
		if (begin[0] == '/' && begin[1] == '*') {
			break;
		}
	}
	if (strncmp(begin, "/* ----", 7) != 0) {
		copy_comment(out, begin + 2, end);
	}
}

/* The comment that follows on the line of p. */
static void
comment_behind(struct buf *out, const char *p)
{
	size_t line = strcspn(p, "\n");
	const char *begin = strstr(p, "/*");
	const char *end;

	if (begin == NULL || begin >= p + line) {
		return;
	}
	end = strstr(begin, "*/");
	if (end != NULL) {
		copy_comment(out, begin + 2, end);
	}
}

/* Where a row begins, such as "IPC_BEGIN(file,"; NULL: nowhere. */
static const char *
find_row(const char *text, const char *macro, const char *name)
{
	char row[128];

	(void)snprintf(row, sizeof(row), "%s(%s,", macro, name);
	return strstr(text, row);
}

/* A field's line between a row's begin and its end. */
static const char *
find_field(const char *row, const char *end_macro, const char *name)
{
	const char *end = row != NULL ? strstr(row, end_macro) : NULL;
	char field[128];

	if (end == NULL) {
		return NULL;
	}
	for (const char *tail = ",)"; *tail != '\0'; tail++) {
		const char *p;

		(void)snprintf(field, sizeof(field), "(%s%c", name, *tail);
		p = strstr(row + strcspn(row, "\n"), field);
		if (p != NULL && p < end) {
			return p;
		}
	}
	return NULL;
}

static void
put_buf(struct buf *b)
{
	roff_sentences((const char *)b->p, b->len);
	buf_fini(b);
}

static const char *
type_name(const struct rec_field *f)
{
	switch (f->type) {
	case REC_T_U8:
		return "u8";
	case REC_T_U16:
		return "u16";
	case REC_T_U32:
		return "u32";
	case REC_T_U64:
		return "u64";
	case REC_T_UUID:
		return "uuid";
	case REC_T_STR:
		return "text";
	case REC_T_SECRET:
		return "secret";
	case REC_T_BLOB:
		return "bytes";
	case REC_T_END:
		break;
	}
	return "?";
}

static void
put_limit(const struct rec_field *f)
{
	printf("%s", type_name(f));
	if (f->max != 0) {
		printf(", at most %u bytes", (unsigned)f->max);
	}
	printf(")\n");
}

/* ---- events ------------------------------------------------------------- */

static const char *
how_name(enum event_how how)
{
	switch (how) {
	case EVENT_HOW_NUM:
		return "number";
	case EVENT_HOW_BOOL:
	case EVENT_HOW_FLAGS:
		return "true or false";
	case EVENT_HOW_TIME:
		return "time";
	case EVENT_HOW_LIST:
	case EVENT_HOW_TAGS:
	case EVENT_HOW_RCPTS:
		return "array of text";
	case EVENT_HOW_METADATA:
		return "object";
	case EVENT_HOW_SKIP:
	case EVENT_HOW_STR:
	case EVENT_HOW_UUID:
	case EVENT_HOW_HEX:
	case EVENT_HOW_ACCOUNT:
	case EVENT_HOW_CLASS:
	case EVENT_HOW_RET:
		break;
	}
	return "text";
}

static void
put_event_field(const struct rec_field *f, const struct event_plan *p,
    const char *row, const char *attempt)
{
	struct buf comment = { 0 };
	const char *line;

	printf(".It Va %s%s%s\n(%s)\n", p->object,
	    p->object[0] != '\0' ? "." : "", p->name, how_name(p->how));
	line = find_field(row, "EVENT_END", f->name);
	if (line == NULL) {
		line = find_field(attempt, "END_OF_FILE", f->name);
	}
	if (line != NULL) {
		comment_behind(&comment, line);
	}
	put_buf(&comment);
}

/* The facts of an attempt are listed with delivery only. */
static bool
is_repeated(const struct event_desc *d, const struct rec_field *f,
    const char *row, const char *attempt)
{
	return d->type != EVENT_delivery &&
	    find_field(row, "EVENT_END", f->name) == NULL &&
	    find_field(attempt, "END_OF_FILE", f->name) != NULL;
}

static void
put_event(const struct event_desc *d, const char *text, const char *attempt)
{
	const struct event_plan *p = event_plan(d);
	const char *row = find_row(text, "EVENT_BEGIN", d->name);
	bool is_open = false;
	bool is_attempt = false;

	printf(".It Cm %s Pq %u\n", d->name, (unsigned)d->type);
	roff_sentences(d->text, strlen(d->text));
	for (const struct rec_field *f = d->fields; f->type != REC_T_END; f++) {
		if (is_repeated(d, f, row, attempt)) {
			is_attempt = is_attempt || p->how != EVENT_HOW_SKIP;
		} else if (p->how != EVENT_HOW_SKIP) {
			if (!is_open) {
				printf(".Bl -tag -width 12n -compact\n");
				is_open = true;
			}
			put_event_field(f, p, row, attempt);
		}
		p++;
	}
	if (is_open) {
		printf(".El\n");
	}
	if (is_attempt) {
		printf("And the facts of the attempt, as with\n"
		       ".Cm delivery .\n");
	}
}

static void
put_events(const char *lib)
{
	char *text = read_text(lib, "event.def");
	char *attempt = read_text(lib, "attempt.def");
	struct buf whole = { 0 };
	size_t n;
	const struct event_desc *const *all = event_descs(&n);

	buf_printf(&whole, "%s END_OF_FILE", attempt);
	buf_u8(&whole, 0);
	for (int internal = 0; internal < 2; internal++) {
		printf(internal ? ".Sh INTERNAL EVENTS\n"
				  "These are the state of the queue; only\n"
				  ".Xr pblog 1\nshows them.\n"
				: "");
		printf(".Bl -tag -width 4n\n");
		for (size_t i = 0; i < n; i++) {
			if ((all[i]->scope == EVENT_SCOPE_INTERNAL) ==
			    (internal != 0)) {
				put_event(all[i], text, (const char *)whole.p);
			}
		}
		printf(".El\n");
	}
	buf_fini(&whole);
	free(text);
	free(attempt);
}

/* ---- parameters --------------------------------------------------------- */

static const char *
param_type_name(enum param_type type)
{
	switch (type) {
	case PARAM_STRING:
		return "text";
	case PARAM_LIST:
		return "list";
	case PARAM_TIME:
		return "time";
	case PARAM_SIZE:
		return "size";
	case PARAM_NUMBER:
		return "number";
	case PARAM_BOOL:
		return "yes or no";
	case PARAM_CHOICE:
		return "choice";
	}
	return "";
}

static void
put_bounds(const struct param *p)
{
	const char *unit = p->type == PARAM_TIME ? " seconds"
	    : p->type == PARAM_SIZE		 ? " bytes"
						 : "";

	if (p->type != PARAM_TIME && p->type != PARAM_SIZE &&
	    p->type != PARAM_NUMBER) {
		return;
	}
	if (p->max != 0) {
		printf("From %llu to %llu%s.\n", (unsigned long long)p->min,
		    (unsigned long long)p->max, unit);
	} else if (p->min != 0) {
		printf("At least %llu%s.\n", (unsigned long long)p->min, unit);
	}
}

static void
put_parameters(void)
{
	printf(".Bl -tag -width 4n\n");
	for (size_t i = 0; i < n_params; i++) {
		const struct param *p = &params[i];

		printf(".It Ic %s Pq %s", p->name, param_type_name(p->type));
		if (p->def[0] != '\0') {
			printf(" , default Ql ");
			roff_text(p->def, strlen(p->def));
		} else {
			printf(" , default empty");
		}
		printf("\n");
		roff_sentences(p->text, strlen(p->text));
		if (p->type == PARAM_CHOICE) {
			printf("One of:\n.Ql %s .\n", p->choices);
		}
		put_bounds(p);
	}
	printf(".El\n");
}

/* ---- messages ----------------------------------------------------------- */

static void
put_roles(unsigned set)
{
	bool first = true;

	if (set == ROLE_DAEMONS || set == (ROLE_DAEMONS | ROLE_MASTER)) {
		printf("any daemon%s",
		    (set & ROLE_MASTER) != 0 ? " and master" : "");
		return;
	}
	for (unsigned bit = 0; bit < 16; bit++) {
		if ((set >> bit & 1) != 0) {
			printf("%s%s", first ? "" : ", ",
			    role_name((enum role)(1u << bit)));
			first = false;
		}
	}
}

static void
put_message(const struct ipc_desc *d, const char *text)
{
	const char *row = find_row(text, "IPC_BEGIN", d->name);
	struct buf comment = { 0 };

	printf(".It Cm %s Pq 0x%04x\n", d->name, (unsigned)d->type);
	printf("From ");
	put_roles(d->from);
	printf(" to ");
	put_roles(d->to);
	printf(".\n");
	if (row != NULL) {
		comment_before(&comment, text, row);
	}
	put_buf(&comment);
	if (d->fields[0].type == REC_T_END ||
	    strcmp(d->fields[0].name, "none") == 0) {
		return;
	}
	printf(".Bl -tag -width 12n -compact\n");
	for (const struct rec_field *f = d->fields; f->type != REC_T_END; f++) {
		const char *line = find_field(row, "IPC_END", f->name);

		printf(".It Va %s\n(", f->name);
		put_limit(f);
		if (line != NULL) {
			comment_behind(&comment, line);
		}
		put_buf(&comment);
	}
	printf(".El\n");
}

static void
put_messages(const char *lib)
{
	char *text = read_text(lib, "ipc.def");

	printf(".Bl -tag -width 4n\n");
	for (size_t i = 0; i < array_len(ipc_types); i++) {
		put_message(ipc_desc(ipc_types[i]), text);
	}
	printf(".El\n");
	free(text);
}

/* ---- classes of reasons ------------------------------------------------- */

static const char *
event_name(enum reason_event e)
{
	switch (e) {
	case REASON_EVENT_BOUNCE:
		return "bounce";
	case REASON_EVENT_SOFT_BOUNCE:
		return "soft_bounce";
	case REASON_EVENT_AUTO_REPLY:
		return "auto_reply";
	case REASON_EVENT_UNSUBSCRIBE:
		return "unsubscribe";
	}
	return "";
}

static void
put_classes(void)
{
	printf(".Bl -column inactive_mailbox Retry Suppress soft_bounce\n"
	       ".It Em Class Ta Em Retry Ta Em Suppress Ta Em Event\n");
	for (unsigned i = 0; i < REASON_N; i++) {
		const struct reason_desc *d = reason_desc((enum reason)i);

		printf(".It Ic %s Ta %s Ta %s Ta Cm %s\n", d->name,
		    d->is_retried ? "yes" : "no",
		    d->is_suppressed ? "yes" : "no", event_name(d->event));
	}
	printf(".El\n.Bl -tag -width 4n\n");
	for (unsigned i = 0; i < REASON_N; i++) {
		const struct reason_desc *d = reason_desc((enum reason)i);

		printf(".It Ic %s\n", d->name);
		roff_sentences(d->text, strlen(d->text));
	}
	printf(".El\n");
}

/* ------------------------------------------------------------------------- */

static void
put_list(const char *which, const char *lib)
{
	if (strcmp(which, "events") == 0) {
		put_events(lib);
	} else if (strcmp(which, "parameters") == 0) {
		put_parameters();
	} else if (strcmp(which, "classes") == 0) {
		put_classes();
	} else if (strcmp(which, "replies") == 0) {
		reply_list_put();
	} else if (strcmp(which, "messages") == 0) {
		put_messages(lib);
	} else {
		fail("no such list");
	}
}

int
main(int argc, char **argv)
{
	char line[1024];
	bool found = false;

	if (argc != 3) {
		fail("usage: genlists events|parameters|messages|classes|"
		     "replies LIB <template >page");
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, MARKER) == 0) {
			put_list(argv[1], argv[2]);
			found = true;
		} else {
			fputs(line, stdout);
		}
	}
	if (!found) {
		fail("the template has no line " MARKER);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
