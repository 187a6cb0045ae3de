#include "data_scan.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "attr.h"

enum { BLOCK = 64 }; /* bytes looked at together: one bit of a mask each */

/* Where the interesting bytes of a block are; bit n is byte n. */
struct masks {
	uint64_t cr;
	uint64_t lf;
	uint64_t nul;
	uint64_t high; /* 8-bit */
};

#ifdef __SSE2__
static inline uint64_t
mask_equal(const __m128i v[4], char c)
{
	const __m128i x = _mm_set1_epi8(c);
	uint64_t m = 0;

	for (int i = 0; i < 4; i++) {
		int bits = _mm_movemask_epi8(_mm_cmpeq_epi8(v[i], x));

		m |= (uint64_t)(unsigned)bits << (16 * i);
	}
	return m;
}

static inline void
masks_find(const char *p, struct masks *m)
{
	__m128i v[4];

	m->high = 0;
	for (int i = 0; i < 4; i++) {
		v[i] = _mm_loadu_si128((const void *)(p + 16 * i));
		m->high |= (uint64_t)(unsigned)_mm_movemask_epi8(v[i])
		    << (16 * i);
	}
	m->cr = mask_equal(v, '\r');
	m->lf = mask_equal(v, '\n');
	m->nul = mask_equal(v, '\0');
}
#else
/* Without branches, so that a compiler can use what vectors there are. */
static inline void
masks_find(const char *p, struct masks *m)
{
	*m = (struct masks){ 0 };
	for (unsigned i = 0; i < BLOCK; i++) {
		unsigned char c = (unsigned char)p[i];

		m->cr |= (uint64_t)(c == '\r') << i;
		m->lf |= (uint64_t)(c == '\n') << i;
		m->nul |= (uint64_t)(c == '\0') << i;
		m->high |= (uint64_t)(c >> 7) << i;
	}
}
#endif

/* The lowest n bits, n in 0..64. */
static inline uint64_t
low_bits(unsigned n)
{
	return n >= BLOCK ? UINT64_MAX : ((uint64_t)1 << n) - 1;
}

void
data_scan_init(struct data_scan *s, enum data_scan_mode mode)
{
	*s = (struct data_scan){ .mode = mode };
}

/* The line so far reaches to offset `to`. */
static inline void
note_line_length(struct data_scan *s, uint64_t to)
{
	uint64_t len = to - s->line_start;

	/* RFC 5321 4.5.3.1.6: the doubled dot does not count. */
	if (s->line_has_dot && s->mode == DATA_SCAN_DOT) {
		len--;
	}
	if (len > s->longest_line) {
		s->longest_line = len;
	}
}

/* The first byte of a line is there. */
static inline void
begin_line(struct data_scan *s, char c)
{
	s->line_has_dot = c == '.';
	s->dot_lines += s->line_has_dot;
}

/* A CRLF ends the line, its LF is at offset lf. Was that the final dot? */
static inline bool
end_line(struct data_scan *s, uint64_t lf)
{
	uint64_t len = lf - 1 - s->line_start;

	if (len == 1 && s->line_has_dot && s->mode == DATA_SCAN_DOT) {
		s->dot_lines--; /* it is not part of the message */
		return true;
	}
	note_line_length(s, lf - 1);
	if (len == 0 && !s->has_body) {
		s->has_body = true;
		s->header_len = s->line_start;
		s->body_off = lf + 1;
	}
	s->line_start = lf + 1;
	s->line_has_dot = false;
	return false;
}

/* Set the flags for the bytes of a block that belong to the message. */
static inline void
note_bytes(struct data_scan *s, const struct masks *m, uint64_t valid,
    bool body_before)
{
	uint64_t cr = m->cr & valid;
	uint64_t lf = m->lf & valid;
	uint64_t high = m->high & valid;
	uint64_t last = valid ^ (valid >> 1); /* its next byte is unknown */

	s->has_bare_cr |= (cr & ~(lf >> 1) & ~last) != 0;
	s->has_bare_cr |= s->after_cr && (lf & 1) == 0;
	s->has_bare_lf |= (lf & ~(cr << 1 | s->after_cr)) != 0;
	s->has_nul |= (m->nul & valid) != 0;
	s->after_cr = (cr & last) != 0;
	if (high == 0) {
		return;
	}
	if (body_before) {
		s->body_is_8bit = true;
	} else if (s->has_body) {
		uint64_t header = low_bits((unsigned)(s->body_off - s->seen));

		s->header_is_8bit |= (high & header) != 0;
		s->body_is_8bit |= (high & ~header) != 0;
	} else {
		s->header_is_8bit = true;
	}
}

/*
 * Look at n bytes (1..64) of which 64 can be read. Returns how many of them
 * are used: n, or less when the final dot is among them.
 */
static inline unsigned
scan_block(struct data_scan *s, const char *p, unsigned n)
{
	bool body_before = s->has_body;
	uint64_t valid = low_bits(n);
	uint64_t ends;
	struct masks m;

	masks_find(p, &m);
	if (s->line_start == s->seen) {
		begin_line(s, p[0]);
	}
	ends = m.lf & (m.cr << 1 | s->after_cr) & valid;
	while (ends != 0) {
		unsigned i = (unsigned)__builtin_ctzll(ends);

		ends &= ends - 1;
		if (end_line(s, s->seen + i)) {
			s->at_end = true;
			n = i + 1;
			valid = low_bits(n);
			break;
		}
		if (i + 1 < n) {
			begin_line(s, p[i + 1]);
		}
	}
	note_bytes(s, &m, valid, body_before);
	s->seen += n;
	return n;
}

/* How many bytes at the end may still become the final dot? */
static inline uint8_t
count_held(const struct data_scan *s)
{
	uint64_t len = s->seen - s->line_start;

	if (s->mode != DATA_SCAN_DOT || !s->line_has_dot) {
		return 0;
	}
	if (len == 1 || (len == 2 && s->after_cr)) {
		return (uint8_t)len;
	}
	return 0;
}

struct data_scan_step
data_scan_feed(struct data_scan *s, const char *chunk, size_t len)
{
	struct data_scan_step step = { 0 };
	uint64_t passed = s->message_len;
	char tail[BLOCK] = { 0 };
	size_t n;

	bug_on(s->at_end);
	while (len - step.used >= BLOCK && !s->at_end) {
		step.used += scan_block(s, chunk + step.used, BLOCK);
	}
	n = len - step.used;
	if (n > 0 && !s->at_end) {
		memcpy(tail, chunk + step.used, n);
		step.used += scan_block(s, tail, (unsigned)n);
	}
	step.at_end = s->at_end;
	if (s->at_end) {
		s->message_len = s->line_start;
	} else {
		/* A CR at the end may be the line's end: not counted yet. */
		note_line_length(s, s->seen - s->after_cr);
		s->message_len = s->seen - count_held(s);
	}
	n = (size_t)(s->message_len - passed);
	step.carry = n < s->held ? n : s->held;
	step.take = n - step.carry;
	s->held = s->at_end ? 0 : count_held(s);
	return step;
}

void
data_scan_finish(struct data_scan *s)
{
	s->has_bare_cr |= s->after_cr;
	s->after_cr = false;
	s->is_unterminated = s->line_start != s->seen;
	s->at_end = true;
}

enum { LINE_START, LINE_INSIDE, LINE_AFTER_CR }; /* data_stuff.state */

/* Length of the text up to and with the next LF; follows the state. */
static size_t
take_line(struct data_stuff *st, const char *in, size_t len)
{
	const char *lf = memchr(in, '\n', len);
	size_t n = lf == NULL ? len : (size_t)(lf - in) + 1;
	bool after_cr = n > 1 ? in[n - 2] == '\r' : st->state == LINE_AFTER_CR;

	if (lf != NULL) {
		st->state = after_cr ? LINE_START : LINE_INSIDE;
	} else {
		st->state = in[n - 1] == '\r' ? LINE_AFTER_CR : LINE_INSIDE;
	}
	return n;
}

size_t
data_stuff_bound(size_t len)
{
	/* Densest is ".", CR, LF, ".", CR, LF, ... */
	return len + len / 3 + 1;
}

size_t
data_stuff(struct data_stuff *st, const char *in, size_t len, char *out)
{
	size_t written = 0;

	while (len > 0) {
		size_t n;

		if (st->state == LINE_START && *in == '.') {
			out[written++] = '.';
		}
		n = take_line(st, in, len);
		memcpy(out + written, in, n);
		written += n;
		in += n;
		len -= n;
	}
	return written;
}

size_t
data_unstuff(struct data_stuff *st, const char *in, size_t len, char *out)
{
	size_t written = 0;

	while (len > 0) {
		size_t n;

		if (st->state == LINE_START && *in == '.') {
			st->state = LINE_INSIDE;
			in++;
			len--;
			continue;
		}
		n = take_line(st, in, len);
		memmove(out + written, in, n); /* out may be in */
		written += n;
		in += n;
		len -= n;
	}
	return written;
}
