/*
 * The content of a message on the wire (RFC 5321 sections 2.3.8, 4.1.1.4,
 * 4.5.2): finds the end of DATA, and the facts that a receiver must know
 * before it accepts, while the bytes come in. The content stays as it is,
 * dot-stuffed. How the bytes are cut into chunks changes nothing.
 *
 * The only end is CRLF "." CRLF. Bare CR, bare LF and NUL never end a line,
 * they are reported; a message with any of them should be refused after
 * its end, because servers disagree about them (SMTP smuggling).
 */
#ifndef LIB_DATA_SCAN_H
#define LIB_DATA_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum data_scan_mode {
	DATA_SCAN_DOT,	/* DATA: dot-stuffed, ended by the dot */
	DATA_SCAN_BDAT, /* BDAT: plain, ended by its count (RFC 3030) */
};

/* All offsets and lengths count bytes since data_scan_init. */
struct data_scan {
	/* Facts, for the caller; final once the end has been seen. */
	uint64_t message_len;  /* message so far, without the final dot line */
	uint64_t header_len;   /* without the empty line; valid with has_body */
	uint64_t body_off;     /* first byte behind the empty line; ditto */
	uint64_t longest_line; /* without CRLF and without a stuffing dot */
	uint64_t dot_lines;    /* that begin with a dot; 0: flag NODOTS */
	bool has_body;	       /* the empty line after the header was seen */
	bool has_bare_cr;
	bool has_bare_lf;
	bool has_nul;
	bool header_is_8bit;
	bool body_is_8bit;
	bool is_unterminated; /* BDAT only, after finish: no CRLF at the end */

	/* State between chunks. */
	enum data_scan_mode mode;
	uint64_t seen;	     /* bytes taken in */
	uint64_t line_start; /* offset of the current line */
	uint8_t held;	     /* bytes of a possible dot line not passed on */
	bool after_cr;
	bool line_has_dot; /* the current line begins with a dot */
	bool at_end;
};

/*
 * What one chunk brought. A "." or ".CR" at the end of a chunk may be the
 * end or the beginning of a text line; it is held back until the next byte
 * tells. So the message's next bytes are: the first `carry` bytes of the
 * constant ".\r", then the first `take` bytes of the chunk.
 */
struct data_scan_step {
	size_t carry; /* 0..2 */
	size_t take;  /* bytes of the chunk that belong to the message */
	size_t used;  /* bytes consumed; less than len only at the end */
	bool at_end;  /* the final dot was seen; the rest is left over */
};

/* Begin a message. Nothing needs to be freed. */
void data_scan_init(struct data_scan *s, enum data_scan_mode mode);

/*
 * Take in a chunk. Must not be called again after at_end. In BDAT mode
 * there is no end, take and used are always len, and the caller counts.
 * A caller that keeps the wire bytes in one buffer may ignore carry and
 * take, and cut the buffer to s->message_len when at_end is set.
 */
struct data_scan_step data_scan_feed(
    struct data_scan *s, const char *chunk, size_t len);

/* After the last byte of a BDAT message: settle what was still open. */
void data_scan_finish(struct data_scan *s);

/* Where a line begins, for the two below; start with { 0 }. */
struct data_stuff {
	unsigned char state; /* 0 line start, 1 inside, 2 after CR */
};

/* The most bytes data_stuff can write for len bytes. */
size_t data_stuff_bound(size_t len);

/*
 * Double each dot at the beginning of a line (RFC 5321 section 4.5.2), for
 * example to store what came by BDAT. out must have data_stuff_bound(len)
 * bytes and not overlap. Returns the bytes written.
 */
size_t data_stuff(struct data_stuff *st, const char *in, size_t len, char *out);

/*
 * Take away one dot at the beginning of each line, for example to send by
 * BDAT. out must have len bytes; it may be in itself. Returns the bytes
 * written.
 */
size_t data_unstuff(
    struct data_stuff *st, const char *in, size_t len, char *out);

#endif
