#include "mime.h"

#include <gmime/gmime.h>
#include <string.h>
#include <strings.h>

#include "html.h"
#include "text.h"

void
mime_init(void)
{
	g_mime_init();
}

void
mime_exit(void)
{
	g_mime_shutdown();
}

/* ---- lines -------------------------------------------------------------- */

/*
 * s.p[i] is an escape. "\e$B ... \e(B": two-byte characters whose bytes look
 * like ASCII, "@" and "<" among them; they end on their line (RFC 1468).
 * Returns where text goes on.
 */
static size_t
skip_escape(struct str s, size_t i)
{
	size_t end = i;

	if (i + 2 < s.len && s.p[i + 1] == '(') {
		return i + 3;
	}
	if (i + 1 >= s.len || s.p[i + 1] != '$') {
		return i + 1;
	}
	while (end < s.len && s.p[end] != '\n' && s.p[end] != '\r') {
		if (s.p[end] == '\033' && end + 2 < s.len &&
		    s.p[end + 1] == '(') {
			return end + 3;
		}
		end++;
	}
	return end;
}

/* Are lines ended by CR alone? */
static bool
has_cr_lines(struct str s)
{
	size_t crs = 0, lfs = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\n') {
			lfs++;
		} else if (s.p[i] == '\r' &&
		    (i + 1 == s.len || s.p[i + 1] != '\n')) {
			crs++;
		}
	}
	return crs > lfs;
}

/* Copies with LF as the only line end. */
static void
add_lines(struct buf *out, struct str s)
{
	bool is_cr_line = has_cr_lines(s);
	size_t i = 0;

	if (s.len > 0) {
		(void)buf_reserve(out, s.len);
	}
	while (i < s.len) {
		char c = s.p[i];

		if (c == '\033') {
			i = skip_escape(s, i);
			continue;
		}
		i++;
		if (c == '\r') {
			if (!is_cr_line || (i < s.len && s.p[i] == '\n')) {
				continue;
			}
			c = '\n';
		}
		buf_u8(out, (uint8_t)(c == '\0' ? ' ' : c));
	}
}

/* Without empty lines before the header, and the separator line that mailbox
 * files have before each message. */
static struct str
without_from_line(struct str s)
{
	const char *lf;

	s = text_skip_blank(s);
	if (s.len < 5 || memcmp(s.p, "From ", 5) != 0) {
		return s;
	}
	lf = memchr(s.p, '\n', s.len);
	if (lf == NULL) {
		return s;
	}
	return (struct str){ lf + 1, s.len - (size_t)(lf + 1 - s.p) };
}

static void
split_header(struct mime *m)
{
	struct str s = without_from_line(buf_str(&m->text));
	const char *end = NULL;

	if (s.len > 0) {
		end = memmem(s.p, s.len, "\n\n", 2);
		end = end != NULL ? end + 1 : NULL;
	}
	if (end == NULL) {
		m->header = s;
		m->body = (struct str){ "", 0 };
		return;
	}
	m->header = (struct str){ s.p, (size_t)(end - s.p) };
	m->body = (struct str){ end + 1, s.len - m->header.len - 1 };
}

/* ---- parts -------------------------------------------------------------- */

static struct buf *
add_part(struct mime *m, enum mime_type type)
{
	struct buf *store = mem_alloc(sizeof(*store));

	m->parts[m->n_parts].type = type;
	m->stores[m->n_parts] = store;
	m->n_parts++;
	return store;
}

static void
seal_part(struct mime *m)
{
	size_t i = m->n_parts - 1;

	m->parts[i].text = buf_str(m->stores[i]);
}

static bool
find_type(const char *media, const char *sub, enum mime_type *out)
{
	static const struct {
		const char *media, *sub;
		enum mime_type type;
	} types[] = {
		{ "message", "delivery-status", MIME_STATUS },
		{ "message", "global-delivery-status", MIME_STATUS },
		{ "message", "xdelivery-status", MIME_STATUS },
		{ "message", "feedback-report", MIME_FEEDBACK },
		{ "message", "disposition-notification", MIME_DISPOSITION },
		{ "message", "global-disposition-notification",
		    MIME_DISPOSITION },
		{ "message", "rfc822", MIME_ORIGINAL },
		{ "message", "global", MIME_ORIGINAL },
		{ "message", "global-headers", MIME_ORIGINAL },
		{ "text", "rfc822-headers", MIME_ORIGINAL },
		{ "text", "rfc822-header", MIME_ORIGINAL },
		{ "message", "rfc822-headers", MIME_ORIGINAL },
		{ "text", "html", MIME_HTML },
		{ "text", NULL, MIME_TEXT },
	};

	for (size_t i = 0; i < array_len(types); i++) {
		if (strcasecmp(media, types[i].media) == 0 &&
		    (types[i].sub == NULL ||
			strcasecmp(sub, types[i].sub) == 0)) {
			*out = types[i].type;
			return true;
		}
	}
	return false;
}

/* The decoded content of a leaf. */
static void
read_content(GMimePart *part, struct buf *out)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *mem;
	GByteArray *bytes;

	if (content == NULL) {
		return;
	}
	mem = g_mime_stream_mem_new();
	(void)g_mime_data_wrapper_write_to_stream(content, mem);
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(mem));
	if (bytes != NULL && bytes->len > 0) {
		add_lines(
		    out, (struct str){ (const char *)bytes->data, bytes->len });
	}
	g_object_unref(mem);
}

static void
take_leaf(struct mime *m, GMimePart *part)
{
	GMimeContentType *ct =
	    g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *media = NULL, *sub = NULL;
	enum mime_type type = MIME_TEXT;
	struct buf *store;

	if (ct != NULL) {
		media = g_mime_content_type_get_media_type(ct);
		sub = g_mime_content_type_get_media_subtype(ct);
	}
	if (media == NULL || sub == NULL || !find_type(media, sub, &type)) {
		return;
	}
	store = add_part(m, type);
	read_content(part, store);
	if (type == MIME_HTML) {
		struct buf text = { 0 };

		html_to_text(buf_str(store), &text);
		buf_fini(store);
		buf_move(store, &text);
	}
	seal_part(m);
}

static void take(struct mime *m, GMimeObject *o, int depth);

/* A gateway enclosed the whole report in a message of its own. */
static bool
is_report(GMimeObject *o)
{
	GMimeContentType *ct;
	const char *sub;

	if (o == NULL || !GMIME_IS_MULTIPART(o)) {
		return false;
	}
	ct = g_mime_object_get_content_type(o);
	sub = ct != NULL ? g_mime_content_type_get_media_subtype(ct) : NULL;
	return sub != NULL && strcasecmp(sub, "report") == 0;
}

/* Of an enclosed message only the header is of interest. */
static void
take_message(struct mime *m, GMimeMessagePart *part, int depth)
{
	GMimeMessage *message = g_mime_message_part_get_message(part);
	char *header;

	if (message == NULL) {
		return;
	}
	if (!m->is_report && mime_find(m, MIME_STATUS) == NULL &&
	    is_report(g_mime_message_get_mime_part(message))) {
		take(m, g_mime_message_get_mime_part(message), depth + 1);
		return;
	}
	header = g_mime_object_get_headers(GMIME_OBJECT(message), NULL);
	if (header != NULL) {
		add_lines(add_part(m, MIME_ORIGINAL), str_of(header));
		seal_part(m);
		g_free(header);
	}
}

static void
take(struct mime *m, GMimeObject *o, int depth)
{
	if (o == NULL || depth > MIME_DEPTH_MAX ||
	    m->n_parts == MIME_PARTS_MAX) {
		return;
	}
	if (GMIME_IS_MULTIPART(o)) {
		int n = g_mime_multipart_get_count(GMIME_MULTIPART(o));

		for (int i = 0; i < n && m->n_parts < MIME_PARTS_MAX; i++) {
			take(m,
			    g_mime_multipart_get_part(GMIME_MULTIPART(o), i),
			    depth + 1);
		}
	} else if (GMIME_IS_MESSAGE_PART(o)) {
		take_message(m, GMIME_MESSAGE_PART(o), depth);
	} else if (GMIME_IS_PART(o)) {
		take_leaf(m, GMIME_PART(o));
	}
}

static void
parse(struct mime *m)
{
	struct str s = without_from_line(buf_str(&m->text));
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(s.p, s.len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message;

	g_mime_parser_set_format(parser, GMIME_FORMAT_MESSAGE);
	message = g_mime_parser_construct_message(parser, NULL);
	if (message != NULL) {
		m->is_report = is_report(g_mime_message_get_mime_part(message));
		take(m, g_mime_message_get_mime_part(message), 0);
		g_object_unref(message);
	}
	g_object_unref(parser);
	g_object_unref(stream);
}

void
mime_read(struct str message, struct mime *out)
{
	memset(out, 0, sizeof(*out));
	add_lines(&out->text, message);
	split_header(out);
	if (out->text.len > 0) {
		parse(out);
	}
	if (out->n_parts == 0) {
		/* a boundary that never comes, or no MIME at all */
		buf_add(add_part(out, MIME_TEXT), out->body.p, out->body.len);
		seal_part(out);
	}
}

void
mime_fini(struct mime *m)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		buf_fini(m->stores[i]);
		free(m->stores[i]);
	}
	buf_fini(&m->text);
}

const struct mime_part *
mime_find(const struct mime *m, enum mime_type type)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].type == type) {
			return &m->parts[i];
		}
	}
	return NULL;
}
