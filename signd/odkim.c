#include "odkim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <opendkim/dkim.h>

#include "header.h"

#define CHUNK (64 * 1024)
#define WHY_SIZE 80

static DKIM_LIB *signer;
static DKIM_LIB *verifier;

static void *
allocate(void *closure, size_t n)
{
	(void)closure;
	return malloc(n);
}

static void
release(void *closure, void *p)
{
	(void)closure;
	free(p);
}

/* The library asks for the key of a signature: we know only one. */
static DKIM_CBSTAT
find_key(DKIM *d, DKIM_SIGINFO *sig, u_char *out, size_t size)
{
	const char *record = dkim_get_user_context(d);

	(void)sig;
	if (record == NULL || strlen(record) >= size) {
		return DKIM_CBSTAT_NOTFOUND;
	}
	memcpy(out, record, strlen(record) + 1);
	return DKIM_CBSTAT_CONTINUE;
}

static int
set_fields(DKIM_LIB *lib)
{
	static const char *const sign[] = { "from", "sender", "reply-to",
		"subject", "date", "message-id", "to", "cc", "mime-version",
		"content-type", "content-transfer-encoding", "content-id",
		"in-reply-to", "references", "list-id", "list-unsubscribe",
		"list-unsubscribe-post", NULL };
	static const char *const over[] = { "from", "sender", "reply-to",
		"subject", "date", "message-id", "to", "cc", "mime-version",
		"content-type", "content-transfer-encoding", NULL };
	union {
		const char *const *in;
		void *out;
	} s = { .in = sign }, o = { .in = over };

	/* The length is that of a pointer, not of the list. */
	if (dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS, s.out,
		sizeof(void *)) != DKIM_STAT_OK ||
	    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, o.out,
		sizeof(void *)) != DKIM_STAT_OK) {
		return -ENOMEM;
	}
	return 0;
}

int
odkim_init(void)
{
	signer = dkim_init(allocate, release);
	verifier = dkim_init(allocate, release);
	if (signer == NULL || verifier == NULL ||
	    dkim_set_key_lookup(verifier, find_key) != DKIM_STAT_OK ||
	    set_fields(signer) < 0) {
		return -ENOMEM;
	}
	return 0;
}

void
odkim_fini(void)
{
	if (signer != NULL) {
		dkim_close(signer);
	}
	if (verifier != NULL) {
		dkim_close(verifier);
	}
	signer = NULL;
	verifier = NULL;
}

static const char message_id[] = "signd"; /* for its own log only */

/* The library takes bytes by pointers that are not const, and copies them. */
static u_char *
bytes(const char *p)
{
	union {
		const char *in;
		u_char *out;
	} u = { .in = p };

	return u.out;
}

/*
 * The header in memory (without the empty line) and where the body begins.
 * A file is read, never mapped: its sender could cut it meanwhile.
 */
static int
read_header(const struct odkim_message *m, struct buf *held, struct str *header,
    off_t *body)
{
	struct str all = m->text;

	if (m->fd >= 0) {
		for (;;) {
			ssize_t n = pread(m->fd, buf_reserve(held, CHUNK),
			    CHUNK, (off_t)held->len);

			if (n < 0) {
				return -errno;
			}
			held->len += (size_t)n;
			all = buf_str(held);
			if (n == 0 ||
			    header_block_len(all.p, all.len) < all.len) {
				break;
			}
			if (held->len > ODKIM_HEADER_MAX) {
				return -EMSGSIZE;
			}
		}
	}
	header->p = all.p;
	header->len = header_block_len(all.p, all.len);
	*body = (off_t)(header->len < all.len ? header->len + 2 : all.len);
	return 0;
}

static DKIM_STAT
feed_header(DKIM *d, struct str header, bool skip_signatures)
{
	struct header_iter it;
	struct header_field f;
	DKIM_STAT st = DKIM_STAT_OK;
	int r;

	header_iter_init(&it, header.p, header.len);
	while (st == DKIM_STAT_OK && (r = header_next(&it, &f)) != 0) {
		size_t n = f.raw_len;

		if (r < 0 ||
		    (skip_signatures && header_is(&f, "dkim-signature"))) {
			continue;
		}
		if (n >= 2 && memcmp(f.raw + n - 2, "\r\n", 2) == 0) {
			n -= 2;
		}
		st = dkim_header(d, bytes(f.raw), n);
	}
	return st;
}

static int
feed_body(DKIM *d, const struct odkim_message *m, off_t at)
{
	autofree char *chunk = NULL;
	DKIM_STAT st = DKIM_STAT_OK;

	if (m->fd < 0) {
		size_t n = m->text.len - (size_t)at;

		st = n == 0 ? st : dkim_body(d, bytes(m->text.p + at), n);
		return st == DKIM_STAT_OK ? 0 : -EIO;
	}
	chunk = mem_alloc(CHUNK);
	while (st == DKIM_STAT_OK) {
		ssize_t n = pread(m->fd, chunk, CHUNK, at);

		if (n <= 0) {
			return n < 0 ? -errno : 0;
		}
		st = dkim_body(d, bytes(chunk), (size_t)n);
		at += n;
	}
	return -EIO;
}

/* Everything between the handle and the verdict; first comes before all. */
static int
feed(DKIM *d, const struct odkim_message *m, struct str first)
{
	struct buf held = { 0 };
	struct str header = { 0 };
	off_t body = 0;
	int r = read_header(m, &held, &header, &body);

	if (r == 0 && first.len >= 2 &&
	    dkim_header(d, bytes(first.p), first.len - 2) != DKIM_STAT_OK) {
		r = -EIO;
	}
	if (r == 0 && feed_header(d, header, first.len > 0) != DKIM_STAT_OK) {
		r = -EIO;
	}
	if (r == 0 && dkim_eoh(d) != DKIM_STAT_OK) {
		r = -EIO;
	}
	if (r == 0) {
		r = feed_body(d, m, body);
	}
	buf_fini(&held);
	return r;
}

static bool
is_good(DKIM *d, char *why)
{
	DKIM_SIGINFO **sigs = NULL;
	const char *text;
	int n = 0;

	if (dkim_getsiglist(d, &sigs, &n) != DKIM_STAT_OK || n != 1) {
		snprintf(why, WHY_SIZE, "%d signatures found", n);
		return false;
	}
	if (DKIM_SIG_CHECK(sigs[0])) {
		return true;
	}
	text = dkim_sig_geterrorstr(dkim_sig_geterror(sigs[0]));
	if (dkim_sig_getbh(sigs[0]) == DKIM_SIGBH_MISMATCH) {
		text = "body hash mismatch";
	}
	snprintf(why, WHY_SIZE, "%s", text != NULL ? text : "bad signature");
	return false;
}

int
odkim_verify(struct str field, const struct odkim_message *m,
    const char *record, char *why)
{
	DKIM_STAT st;
	DKIM *d = dkim_verify(verifier, bytes(message_id), NULL, &st);
	union {
		const char *in;
		void *out;
	} context = { .in = record };
	int r;

	why[0] = '\0';
	if (d == NULL) {
		return -ENOMEM;
	}
	(void)dkim_set_user_context(d, context.out); /* cannot fail */
	r = feed(d, m, field);
	if (r == 0 || r == -EIO) {
		bool eom_ok;

		st = r == 0 ? dkim_eom(d, NULL) : DKIM_STAT_SYNTAX;
		eom_ok = st == DKIM_STAT_OK;
		r = is_good(d, why) && eom_ok ? 0 : -EKEYREJECTED;
	}
	dkim_free(d);
	return r;
}

static int
get_field(DKIM *d, struct buf *out)
{
	u_char *p = NULL;
	size_t n = 0;

	if (dkim_eom(d, NULL) != DKIM_STAT_OK ||
	    dkim_getsighdr_d(d, strlen(DKIM_SIGNHEADER) + 2, &p, &n) !=
		DKIM_STAT_OK) {
		return -EIO;
	}
	buf_puts(out, DKIM_SIGNHEADER ": ");
	buf_add(out, p, n);
	buf_puts(out, "\r\n");
	return 0;
}

int
odkim_sign(const char *domain, const char *selector, const char *pem,
    const struct odkim_message *m, struct buf *field)
{
	DKIM_STAT st;
	DKIM *d = dkim_sign(signer, bytes(message_id), NULL, bytes(pem),
	    bytes(selector), bytes(domain), DKIM_CANON_RELAXED,
	    DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &st);
	int r;

	if (d == NULL) {
		return st == DKIM_STAT_NORESOURCE ? -ENOMEM : -EIO;
	}
	r = feed(d, m, (struct str){ 0 });
	if (r == 0) {
		r = get_field(d, field);
	}
	dkim_free(d);
	return r;
}
