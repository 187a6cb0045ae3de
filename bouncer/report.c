#include "report.h"

#include <jansson.h>
#include <string.h>

#include "address.h"
#include "diagnostic.h"
#include "fields.h"
#include "read.h"
#include "text.h"

void
report_init(void)
{
	mime_init();
	json_object_seed(0); /* reads a file: not possible later */
}

void
report_exit(void)
{
	mime_exit();
}

struct report_rcpt *
report_add(struct report *r)
{
	struct report_rcpt *rcpt;

	if (r->n_rcpts == REPORT_RCPTS_MAX) {
		return NULL;
	}
	r->rcpts = mem_resize(r->rcpts, (r->n_rcpts + 1) * sizeof(*r->rcpts));
	rcpt = &r->rcpts[r->n_rcpts++];
	memset(rcpt, 0, sizeof(*rcpt));
	return rcpt;
}

/* Without bytes that end or hide something in logs and answers. */
static void
copy_clean(char *dst, size_t size, struct str s, bool keeps_lines)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len && n + 1 < size; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= ' ' && c != 127) {
			dst[n++] = (char)c;
		} else if (keeps_lines) {
			dst[n++] = c == '\n' ? '\n' : ' ';
		}
	}
	dst[n] = '\0';
}

void
report_set_address(char *dst, struct str address)
{
	copy_clean(dst, REPORT_ADDRESS_SIZE, address, false);
}

void
report_set_text(struct report_rcpt *rcpt, struct str text)
{
	copy_clean(rcpt->text, sizeof(rcpt->text), str_trim(text), true);
}

void
report_set_answer(struct report *r, struct str text)
{
	copy_clean(r->answer, sizeof(r->answer), str_trim(text), true);
}

/* ---- deliveries --------------------------------------------------------- */

/* Fields that say nothing but a code are explained by the words. */
static void
explain(const struct search *s, struct report_rcpt *rcpt)
{
	char status[REPORT_STATUS_SIZE];

	if (rcpt->text[0] != '\0' || rcpt->action > REPORT_DELAYED) {
		return;
	}
	memcpy(status, rcpt->status, sizeof(status));
	notice_explain(s, rcpt);
	memcpy(rcpt->status, status, sizeof(status));
}

/* The same recipient twice is one; the later word counts. */
static void
merge(struct report *out)
{
	size_t n = 0;

	for (size_t i = 0; i < out->n_rcpts; i++) {
		size_t k = 0;

		while (k < n &&
		    strcasecmp(out->rcpts[k].address, out->rcpts[i].address) !=
			0) {
			k++;
		}
		if (k == n) {
			n++;
		}
		if (k != i) {
			out->rcpts[k] = out->rcpts[i];
		}
	}
	out->n_rcpts = n;
}

static void
judge(const struct reading *r, struct report *out)
{
	struct str notice = buf_str(&r->folded);

	merge(out);
	for (size_t i = 0; i < out->n_rcpts; i++) {
		struct report_rcpt *rcpt = &out->rcpts[i];

		diagnostic_judge(rcpt, notice,
		    str_of(rcpt->remote_mta[0] != '\0' ? rcpt->remote_mta
						       : out->reporting_mta));
	}
	out->kind = REPORT_DELIVERY;
}

/* A waiting list or a challenge in the dress of a failure: nothing failed. */
static bool
is_all_challenge(const struct reading *r, const struct report *out)
{
	for (size_t i = 0; i < out->n_rcpts; i++) {
		if (out->rcpts[i].reason != REASON_CHALLENGE &&
		    out->rcpts[i].is_hard) {
			return false;
		}
	}
	return auto_reply_is_challenge(r);
}

static void
become_challenge(const struct reading *r, struct report *out)
{
	free(out->rcpts);
	out->rcpts = NULL;
	out->n_rcpts = 0;
	(void)auto_reply_parse(r, out);
}

static bool
parse_status(
    const struct reading *r, const struct search *s, struct report *out)
{
	bool found = false;

	for (size_t i = 0; i < r->mime.n_parts; i++) {
		if (r->mime.parts[i].type == MIME_STATUS) {
			found |= dsn_parse(r->mime.parts[i].text, out);
		}
	}
	if (!found) {
		/* the same fields inside the words */
		found = dsn_parse(buf_str(&r->words), out);
	}
	for (size_t i = 0; i < out->n_rcpts; i++) {
		explain(s, &out->rcpts[i]);
	}
	return found;
}

static void
parse_delivery(const struct reading *r, struct report *out)
{
	struct search *s = notice_search(r);

	if (!parse_status(r, s, out)) {
		bool is_delay = notice_is_delay(r);

		notice_parse(s, out);
		for (size_t i = 0; i < out->n_rcpts; i++) {
			out->rcpts[i].action =
			    is_delay ? REPORT_DELAYED : REPORT_FAILED;
		}
	}
	free(s);
	judge(r, out);
	if (is_all_challenge(r, out)) {
		become_challenge(r, out);
	}
}

/* ---- return paths ------------------------------------------------------- */

/* "bounces+" and the token (return_path.h), with its domain. */
static void
find_return_path(const struct reading *r, struct report *out)
{
	struct str places[] = { str_of(out->return_path), r->original };
	char path[REPORT_ADDRESS_SIZE] = "";

	for (size_t i = 0; i < array_len(places) && path[0] == '\0'; i++) {
		struct str address;
		size_t at = 0;

		while (
		    path[0] == '\0' && address_next(places[i], &at, &address)) {
			if (text_begins(address, "bounces+")) {
				report_set_address(path, address);
			}
		}
	}
	memcpy(out->return_path, path, sizeof(path));
}

void
report_parse(const void *p, size_t len, struct report *out)
{
	struct str message = { p,
		len < REPORT_INPUT_MAX ? len : REPORT_INPUT_MAX };
	struct reading *r = mem_alloc(sizeof(*r));

	memset(out, 0, sizeof(*out));
	reading_init(r, message);
	if (json_notice_parse(r, out)) {
		if (out->kind == REPORT_DELIVERY) {
			judge(r, out);
		}
	} else if (arf_parse(r, out)) {
		find_return_path(r, out);
	} else if (notice_is_delivery(r)) {
		parse_delivery(r, out);
	} else if (!auto_reply_parse(r, out)) {
		report_set_answer(out, r->notice);
	}
	reading_fini(r);
	free(r);
}

void
report_fini(struct report *r)
{
	free(r->rcpts);
	r->rcpts = NULL;
	r->n_rcpts = 0;
}
