#include "dkim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "domain.h"
#include "header.h"

enum {
	COLUMNS = 76,
	TAB_COLUMNS = 8,
	RSA_BYTES_MAX = 512, /* 4096 bits */
	BASE64_MAX = (RSA_BYTES_MAX + 2) / 3 * 4,
};

/*
 * What is signed, in the order of h= (RFC 6376 section 5.4.1). `over` names
 * one more than there are, so that none can be added (section 8.15): the
 * fields that a reader sees or that change what he sees.
 */
static const struct {
	const char *name;
	bool over;
} rows[] = {
	{ "From", true },
	{ "Sender", false },
	{ "Reply-To", true },
	{ "To", true },
	{ "Cc", true },
	{ "Subject", true },
	{ "Date", true },
	{ "Message-ID", true },
	{ "In-Reply-To", false },
	{ "References", false },
	{ "MIME-Version", false },
	{ "Content-Type", true },
	{ "Content-Transfer-Encoding", false },
	{ "Content-Disposition", false },
	{ "Content-ID", false },
	{ "Content-Description", false },
	{ "Auto-Submitted", false },
	{ "List-Id", false },
	{ "List-Help", false },
	{ "List-Unsubscribe", false },
	{ "List-Unsubscribe-Post", false },
	{ "List-Subscribe", false },
	{ "List-Post", false },
	{ "List-Owner", false },
	{ "List-Archive", false },
	{ "Feedback-ID", false },
};

struct signed_field {
	struct header_field field;
	size_t row;
};

struct signed_fields {
	struct signed_field list[DKIM_FIELDS_MAX];
	size_t count;
};

/* The index in rows, or array_len(rows). */
static size_t
row_of(const struct header_field *f)
{
	size_t i = 0;

	while (i < array_len(rows) && !header_is(f, rows[i].name)) {
		i++;
	}
	return i;
}

static int
collect_fields(const struct dkim_request *req, struct signed_fields *out)
{
	bool has_from = false;
	struct header_iter it;
	struct header_field f;
	int r;

	out->count = 0;
	header_iter_init(&it, req->header, req->header_len);
	while ((r = header_next(&it, &f)) != 0) {
		size_t row = r > 0 ? row_of(&f) : array_len(rows);

		if (row == array_len(rows)) {
			continue;
		}
		if (out->count == DKIM_FIELDS_MAX) {
			return -E2BIG;
		}
		out->list[out->count].field = f;
		out->list[out->count].row = row;
		out->count++;
		has_from = has_from || row == 0;
	}
	return has_from ? 0 : -ENODATA; /* RFC 6376 section 5.4 */
}

ssize_t
dkim_copy_signed(
    const char *header, size_t header_len, char *out, size_t out_size)
{
	struct header_iter it;
	struct header_field f;
	size_t n = 0;
	int r;

	header_iter_init(&it, header, header_len);
	while ((r = header_next(&it, &f)) != 0) {
		if (r < 0 || row_of(&f) == array_len(rows)) {
			continue;
		}
		if (f.raw_len > out_size - n) {
			return -ENOSPC;
		}
		memcpy(out + n, f.raw, f.raw_len);
		n += f.raw_len;
	}
	return (ssize_t)n;
}

/* The field being written; folded as it grows. */
struct text {
	char *out;
	size_t size;
	size_t n; /* counts on when out is full */
	size_t column;
};

static void
put(struct text *t, const char *s, size_t len)
{
	if (t->n < t->size) {
		size_t room = t->size - t->n;

		memcpy(t->out + t->n, s, len < room ? len : room);
	}
	t->n += len;
	t->column += len;
}

static void
put_fold(struct text *t)
{
	put(t, "\r\n\t", 3);
	t->column = TAB_COLUMNS;
}

/* A piece that is not broken; space: it begins a tag. */
static void
put_piece(struct text *t, const char *s, bool space)
{
	size_t len = strlen(s);

	if (t->column + space + len > COLUMNS) {
		put_fold(t);
	} else if (space) {
		put(t, " ", 1);
	}
	put(t, s, len);
}

/* name=value; */
static void
put_tag(struct text *t, const char *name, const char *value)
{
	char tag[DOMAIN_NAME_MAX + 8];

	(void)snprintf(tag, sizeof(tag), "%s=%s;", name, value);
	put_piece(t, tag, true);
}

static void
put_number(struct text *t, const char *name, uint64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
	put_tag(t, name, digits);
}

/* The h= tag, and with it the order in which fields are hashed. */
static void
put_names(struct text *t, const struct signed_fields *fields)
{
	char piece[40];
	bool first = true;

	for (size_t row = 0; row < array_len(rows); row++) {
		size_t times = rows[row].over;

		for (size_t i = 0; i < fields->count; i++) {
			times += fields->list[i].row == row;
		}
		for (; times > 0; times--) {
			(void)snprintf(piece, sizeof(piece), "%s%s",
			    first ? "h=" : ":", rows[row].name);
			put_piece(t, piece, first);
			first = false;
		}
	}
	put(t, ";", 1);
}

/* Everything up to and with "b=". */
static void
put_tags(struct text *t, const struct dkim_request *req,
    const struct signed_fields *fields)
{
	char base64[DKIM_HASH_LEN / 3 * 4 + 8];

	put(t, "DKIM-Signature:", 15);
	put_tag(t, "v", "1");
	put_tag(t, "a",
	    req->algorithm == DKIM_RSA_SHA256 ? "rsa-sha256"
					      : "ed25519-sha256");
	put_tag(t, "c", "relaxed/relaxed");
	put_tag(t, "d", req->domain);
	put_tag(t, "s", req->selector);
	put_number(t, "t", req->time_s);
	if (req->expires_s != 0) {
		put_number(t, "x", req->expires_s);
	}
	put_names(t, fields);
	(void)EVP_EncodeBlock(
	    (unsigned char *)base64, req->body_hash, DKIM_HASH_LEN);
	put_tag(t, "bh", base64);
	put_piece(t, "b=", true);
}

static void
put_base64(struct text *t, const char *s, size_t len)
{
	while (len > 0) {
		size_t n;

		if (t->column >= COLUMNS) {
			put_fold(t);
		}
		n = COLUMNS - t->column;
		n = n < len ? n : len;
		put(t, s, n);
		s += n;
		len -= n;
	}
	put(t, "\r\n", 2);
}

/* A hash with a small buffer before it: fields come in tiny pieces. */
struct hasher {
	EVP_MD_CTX *md;
	bool failed;
	size_t n;
	char buf[512];
};

static void
hash_flush(struct hasher *h)
{
	h->failed |= EVP_DigestUpdate(h->md, h->buf, h->n) != 1;
	h->n = 0;
}

static void
hash_char(struct hasher *h, char c)
{
	if (h->n == sizeof(h->buf)) {
		hash_flush(h);
	}
	h->buf[h->n++] = c;
}

/* One field, relaxed (RFC 6376 section 3.4.2), without a final CRLF. */
static void
hash_field(struct hasher *h, const struct header_field *f)
{
	const char *p = f->value;
	const char *end = p + f->value_len;
	bool has_space = false;
	bool has_text = false;

	for (size_t i = 0; i < f->name_len; i++) {
		char c = f->name[i];

		domain_lower(&c, 1);
		hash_char(h, c);
	}
	hash_char(h, ':');
	for (; p < end; p++) {
		if (*p == ' ' || *p == '\t') {
			has_space = true;
			continue;
		}
		if (*p == '\r' && p + 1 < end && p[1] == '\n') {
			p++; /* folding */
			continue;
		}
		if (has_space && has_text) {
			hash_char(h, ' ');
		}
		has_space = false;
		has_text = true;
		hash_char(h, *p);
	}
}

static void
hash_fields(struct hasher *h, const struct signed_fields *fields)
{
	for (size_t row = 0; row < array_len(rows); row++) {
		/* Repeated fields from the bottom up: section 5.4.2. */
		for (size_t i = fields->count; i-- > 0;) {
			if (fields->list[i].row == row) {
				hash_field(h, &fields->list[i].field);
				hash_char(h, '\r');
				hash_char(h, '\n');
			}
		}
	}
}

/* The data hash of section 3.7; text ends in "b=". */
static int
hash_header(const struct signed_fields *fields, const struct text *t,
    uint8_t out[DKIM_HASH_LEN])
{
	struct hasher h = { .md = EVP_MD_CTX_new() };
	struct header_iter it;
	struct header_field f;

	if (h.md == NULL) {
		return -ENOMEM;
	}
	h.failed = EVP_DigestInit_ex(h.md, EVP_sha256(), NULL) != 1;
	hash_fields(&h, fields);
	header_iter_init(&it, t->out, t->n);
	if (header_next(&it, &f) == 1) {
		hash_field(&h, &f);
	} else {
		h.failed = true;
	}
	hash_flush(&h);
	h.failed |= EVP_DigestFinal_ex(h.md, out, NULL) != 1;
	EVP_MD_CTX_free(h.md);
	return h.failed ? -EIO : 0;
}

static int
sign_rsa(EVP_PKEY *key, const uint8_t hash[DKIM_HASH_LEN], uint8_t *sig,
    size_t *sig_len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int r = -EIO;

	if (ctx == NULL) {
		return -ENOMEM;
	}
	if (EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_sign(ctx, sig, sig_len, hash, DKIM_HASH_LEN) == 1) {
		r = 0;
	}
	EVP_PKEY_CTX_free(ctx);
	return r;
}

/* RFC 8463 section 3: PureEdDSA of the SHA-256 hash. */
static int
sign_ed25519(EVP_PKEY *key, const uint8_t hash[DKIM_HASH_LEN], uint8_t *sig,
    size_t *sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = -EIO;

	if (ctx == NULL) {
		return -ENOMEM;
	}
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, sig, sig_len, hash, DKIM_HASH_LEN) == 1) {
		r = 0;
	}
	EVP_MD_CTX_free(ctx);
	return r;
}

/* Like a domain, RFC 6376 section 3.1, but "2024" is a good one. */
static bool
is_selector(const char *s)
{
	char name[DOMAIN_NAME_MAX + 1];
	int n = snprintf(name, sizeof(name), "%s.x", s);

	return n > 0 && (size_t)n < sizeof(name) &&
	    domain_is_valid(name, (size_t)n, DOMAIN_UNDERSCORE);
}

static bool
is_usable(const struct dkim_request *req)
{
	int type =
	    req->algorithm == DKIM_RSA_SHA256 ? EVP_PKEY_RSA : EVP_PKEY_ED25519;

	return EVP_PKEY_get_base_id(req->key) == type &&
	    EVP_PKEY_get_size(req->key) <= RSA_BYTES_MAX &&
	    domain_is_valid(
		req->domain, strlen(req->domain), DOMAIN_UNDERSCORE) &&
	    is_selector(req->selector) &&
	    (req->expires_s == 0 || req->expires_s > req->time_s);
}

ssize_t
dkim_make_signature(const struct dkim_request *req, char *out, size_t out_size)
{
	struct text t = { .out = out, .size = out_size };
	char base64[BASE64_MAX + 1];
	uint8_t sig[RSA_BYTES_MAX];
	size_t sig_len = sizeof(sig);
	uint8_t hash[DKIM_HASH_LEN];
	struct signed_fields fields;
	int n;
	int r;

	if (!is_usable(req)) {
		return -EINVAL;
	}
	r = collect_fields(req, &fields);
	if (r < 0) {
		return r;
	}
	put_tags(&t, req, &fields);
	if (t.n > t.size) {
		return -ENOSPC;
	}
	r = hash_header(&fields, &t, hash);
	if (r == 0) {
		r = req->algorithm == DKIM_RSA_SHA256
		    ? sign_rsa(req->key, hash, sig, &sig_len)
		    : sign_ed25519(req->key, hash, sig, &sig_len);
	}
	if (r < 0) {
		ERR_clear_error();
		return r;
	}
	n = EVP_EncodeBlock((unsigned char *)base64, sig, (int)sig_len);
	put_base64(&t, base64, (size_t)n);
	return t.n <= t.size ? (ssize_t)t.n : -ENOSPC;
}
