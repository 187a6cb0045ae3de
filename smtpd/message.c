#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "control.h"
#include "service.h"
#include "session.h"
#include "tx.h"

/* More authors than this are nobody's. */
#define AUTHORS_MAX 8

struct str
message_header(const struct tx *tx)
{
	if (tx->has_no_header) {
		return (struct str){ 0 };
	}
	if (tx->has_kept) {
		return buf_str(&tx->kept);
	}
	return (struct str){ (const char *)tx->content.p, tx->header_len };
}

struct str
message_body(const struct tx *tx)
{
	size_t at = tx->has_no_header ? 0 : tx->body_off;

	return (struct str){ (const char *)tx->content.p + at,
		tx->content.len - at };
}

/*
 * Notes whom the message says it is from. Readers of the mail may see any of
 * several authors, so all must be of one domain: that is what is checked and
 * signed for. A From that cannot be read counts as none.
 */
static const char *
read_from(struct tx *tx)
{
	const struct header_field *f = &tx->header.from_field;
	struct header_mailbox boxes[AUTHORS_MAX];
	size_t n = 0;
	int r, len;

	if (tx->header.from == 0) {
		return NULL;
	}
	r = header_mailboxes(f->value, f->value_len, boxes, AUTHORS_MAX, &n);
	if (r == -E2BIG) {
		return "550 5.6.0 Too many authors in From";
	}
	if (r < 0 || n == 0) {
		return NULL;
	}
	for (size_t i = 1; i < n; i++) {
		if (strcmp(boxes[i].domain, boxes[0].domain) != 0) {
			return "550 5.6.0 Authors of several domains in From";
		}
	}
	len = snprintf(tx->header_from, sizeof(tx->header_from), "%.*s@%s",
	    (int)(boxes[0].local_len < 65 ? boxes[0].local_len : 64),
	    boxes[0].local, boxes[0].domain);
	bug_on(len < 0 || (size_t)len >= sizeof(tx->header_from));
	tx->from_domain_len = boxes[0].domain_len;
	tx->from_domain = tx->header_from + ((size_t)len - boxes[0].domain_len);
	return NULL;
}

/* Copies the header without what is for us; obeys that. */
static const char *
take_controls(struct tx *tx, struct str header)
{
	struct header_iter it;
	struct header_field f;
	const char *from = header.p;
	const char *text;
	int r;

	header_iter_init(&it, header.p, header.len);
	while ((r = header_next(&it, &f)) != 0) {
		if (r < 0 || !control_is_removed(&f)) {
			continue;
		}
		text = control_apply(&f, &tx->wishes);
		if (text != NULL) {
			return text;
		}
		tx->has_kept = true;
		buf_add(&tx->kept, from, (size_t)(f.raw - from));
		from = f.raw + f.raw_len;
	}
	if (tx->has_kept) {
		buf_add(
		    &tx->kept, from, (size_t)(header.p + header.len - from));
	}
	return NULL;
}

static const char *
examine_submission(struct tx *tx, struct str header)
{
	const char *text;

	if (tx->header.from > 1) {
		return "550 5.6.0 More than one From field";
	}
	if (tx->header.malformed != 0) {
		if (tx->header.fields != 0) {
			return "550 5.6.0 A header line is no field";
		}
		if (tx->big != NULL) {
			return "550 5.6.0 The message has no header";
		}
		tx->has_no_header = true; /* all of it is text */
		return NULL;
	}
	if (tx->scan.header_is_8bit && !tx->is_utf8 && !tx->is_8bit) {
		return "550 5.6.7 A header field has 8-bit text: encode it "
		       "(RFC 2047) or use SMTPUTF8";
	}
	text = read_from(tx);
	return text != NULL ? text : take_controls(tx, header);
}

void
message_examine(struct tx *tx)
{
	struct str header = { (const char *)tx->content.p, tx->header_len };

	header_summarize(header.p, header.len, &tx->header);
	if (tx->header.received > conf()->hopcount_limit) {
		tx->refusal = "554 5.4.6 Error: too many hops";
	} else if (tx->session->role != PORT_MX) {
		tx->refusal = examine_submission(tx, header);
	}
}

/* ---- for libopendkim ---------------------------------------------------- */

static bool
write_unstuffed(int fd, struct data_stuff *st, struct str s)
{
	char piece[16 * 1024];

	while (s.len != 0) {
		size_t n = s.len < sizeof(piece) ? s.len : sizeof(piece);
		size_t len = data_unstuff(st, s.p, n, piece);

		if (write(fd, piece, len) != (ssize_t)len) {
			return false;
		}
		s.p += n;
		s.len -= n;
	}
	return true;
}

int
message_memfd(const struct tx *tx)
{
	struct data_stuff st = { 0 };
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0) {
		return -1;
	}
	if (!write_unstuffed(fd, &st, buf_str(&tx->added)) ||
	    !write_unstuffed(fd, &st, message_header(tx)) ||
	    !write_unstuffed(fd, &st, STR("\r\n")) ||
	    !write_unstuffed(fd, &st, message_body(tx)) ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}
