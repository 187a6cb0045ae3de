/* The relaxed body canonicalisation, RFC 6376 section 3.4.4. */
#include "dkim.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool
is_control(char c)
{
	return (unsigned char)c <= '\r'; /* TAB, LF, CR and some others */
}

#ifdef __SSE2__
enum { LANE = 16 };

/* Bytes <= '\r', as 0xff. */
static inline __m128i
controls(__m128i v)
{
	return _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8('\r')), v);
}

/* plain_span in steps of 16 bytes, as far as that goes. */
static inline size_t
plain_lanes(const char *p, size_t len)
{
	const __m128i sp = _mm_set1_epi8(' ');
	size_t n = 0;

	for (; n + LANE + 1 <= len; n += LANE) {
		__m128i v = _mm_loadu_si128((const void *)(p + n));
		__m128i next = _mm_loadu_si128((const void *)(p + n + 1));
		__m128i ends =
		    _mm_or_si128(controls(next), _mm_cmpeq_epi8(next, sp));
		__m128i stop = _mm_or_si128(
		    controls(v), _mm_and_si128(_mm_cmpeq_epi8(v, sp), ends));
		unsigned bits = (unsigned)_mm_movemask_epi8(stop);

		if (bits != 0) {
			return n + (unsigned)__builtin_ctz(bits);
		}
	}
	return n;
}
#else
static inline size_t
plain_lanes(const char *p, size_t len)
{
	(void)p;
	(void)len;
	return 0;
}
#endif

/*
 * How many bytes at p are canonical already: no control character, and no
 * space but single ones between other text.
 */
static size_t
plain_span(const char *p, size_t len)
{
	size_t n = plain_lanes(p, len);

	for (; n < len && !is_control(p[n]); n++) {
		if (p[n] == ' ' &&
		    (n + 1 == len || p[n + 1] == ' ' || is_control(p[n + 1]))) {
			break;
		}
	}
	return n;
}

static void
hash(struct dkim_body *b, const char *p, size_t len)
{
	if (!b->failed && EVP_DigestUpdate(b->md, p, len) != 1) {
		b->failed = true;
	}
}

static void
flush(struct dkim_body *b)
{
	hash(b, b->buf, b->buf_len);
	b->buf_len = 0;
}

/* Pass on canonical text; short pieces are collected first. */
static void
emit(struct dkim_body *b, const char *p, size_t len)
{
	if (len > sizeof(b->buf) - b->buf_len) {
		flush(b);
		if (len >= sizeof(b->buf) / 2) {
			hash(b, p, len);
			return;
		}
	}
	memcpy(b->buf + b->buf_len, p, len);
	b->buf_len += len;
}

/* Text follows, so what was held back counts. */
static void
begin_text(struct dkim_body *b)
{
	for (; b->newlines > 0; b->newlines--) {
		emit(b, "\r\n", 2);
	}
	if (b->has_space) {
		emit(b, " ", 1);
		b->has_space = false;
	}
	b->has_text = true;
	b->at_start = false;
}

/* One byte of any kind. */
static void
take_byte(struct dkim_body *b, char c)
{
	if (b->after_cr) {
		b->after_cr = false;
		if (c == '\n') {
			b->newlines++;
			b->has_space = false;
			b->at_start = true;
			return;
		}
		begin_text(b);
		emit(b, "\r", 1); /* a bare CR is text */
	}
	if (c == '\r') {
		b->after_cr = true;
	} else if (c == '.' && b->at_start && b->unstuff) {
		b->at_start = false;
	} else if (c == ' ' || c == '\t') {
		b->has_space = true;
		b->at_start = false;
	} else {
		begin_text(b);
		emit(b, &c, 1);
	}
}

/* Is the state such that plain text at p may be passed on as it is? */
static bool
may_pass(const struct dkim_body *b, char c)
{
	return !b->after_cr && !(b->has_space && c == ' ') &&
	    !(b->at_start && b->unstuff && c == '.');
}

void
dkim_body_update(struct dkim_body *b, const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		size_t n = 0;

		if (may_pass(b, *p)) {
			n = plain_span(p, (size_t)(end - p));
		}
		if (n == 0) {
			take_byte(b, *p++);
			continue;
		}
		begin_text(b);
		emit(b, p, n);
		p += n;
	}
}

int
dkim_body_init(struct dkim_body *b, bool unstuff)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL) {
		return -ENOMEM;
	}
	if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(md);
		ERR_clear_error();
		return -ENOMEM;
	}
	b->md = md;
	dkim_body_reset(b, unstuff);
	return 0;
}

void
dkim_body_reset(struct dkim_body *b, bool unstuff)
{
	b->newlines = 0;
	b->buf_len = 0;
	b->unstuff = unstuff;
	b->at_start = true;
	b->after_cr = false;
	b->has_space = false;
	b->has_text = false;
	/* Without a digest to look up this is much cheaper than init. */
	b->failed = EVP_DigestInit_ex(b->md, NULL, NULL) != 1;
}

void
dkim_body_fini(struct dkim_body *b)
{
	EVP_MD_CTX_free(b->md);
	b->md = NULL;
}

int
dkim_body_final(struct dkim_body *b, uint8_t out[DKIM_HASH_LEN])
{
	if (b->after_cr) {
		begin_text(b);
		emit(b, "\r", 1);
		b->after_cr = false;
	}
	if (b->has_text) {
		emit(b, "\r\n", 2); /* exactly one, whatever there was */
	}
	flush(b);
	if (b->failed || EVP_DigestFinal_ex(b->md, out, NULL) != 1) {
		b->failed = true;
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}
