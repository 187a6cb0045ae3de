/*
 * DNS answers: a strict parser of what libunbound hands over (RFC 1035, 3596,
 * 6698). Everything in it comes from strangers: no byte is read beyond the
 * end, compression pointers only lead backwards, and data that is not as its
 * type says is left out and counted.
 */
#ifndef RESOLVD_PACKET_H
#define RESOLVD_PACKET_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "domain.h"
#include "str.h"

enum packet_type {
	PACKET_A = 1,
	PACKET_CNAME = 5,
	PACKET_SOA = 6,
	PACKET_PTR = 12,
	PACKET_MX = 15,
	PACKET_TXT = 16,
	PACKET_AAAA = 28,
	PACKET_TLSA = 52,
};

enum packet_status {
	PACKET_DATA,	 /* at least one usable record, or only bad ones */
	PACKET_NODATA,	 /* the name exists, without this type */
	PACKET_NXDOMAIN, /* the name, or where its alias leads, is not there */
	PACKET_FAILED,	 /* the server says so: SERVFAIL, REFUSED ... */
};

/* Aliases followed in one answer. */
#define PACKET_ALIASES_MAX 16

/* TTL of a negative answer that has no SOA record, seconds. */
#define PACKET_NEGATIVE_TTL_S 60

struct packet_record {
	uint32_t off; /* in data */
	uint16_t len;
	uint16_t pref; /* of an MX */
};

/*
 * An answer. Names are lower case without a final dot, "" is the root; TXT is
 * joined; A, AAAA and TLSA are as on the wire.
 */
struct packet {
	enum packet_status status;
	uint8_t rcode;
	uint32_t ttl_s; /* the least of all records used */
	unsigned n;
	unsigned n_bad; /* records of the type that are malformed */
	unsigned n_aliases;
	struct packet_record *records;
	struct packet_record aliases[PACKET_ALIASES_MAX]; /* CNAME targets */
	struct buf data;
};

/*
 * Reads the answer to a question for name and type (not CNAME itself).
 *
 * Returns 0 and an answer that packet_fini frees; -EBADMSG for one that is
 * malformed, truncated, or to another question. *out is untouched then.
 */
int packet_parse(const uint8_t *p, size_t len, const char *name, uint16_t type,
    struct packet *out) MUST_CHECK;
void packet_fini(struct packet *a);

/* The data of record i, or the target of alias i; valid as long as a is. */
struct str packet_data(const struct packet *a, unsigned i);
struct str packet_alias(const struct packet *a, unsigned i);

/*
 * Reads a name that begins at *off of the packet and leaves *off behind it.
 * Returns 0; -EILSEQ for a well-formed name that has no plain text form (a
 * dot, a backslash or a byte that is not printable ASCII in a label; dst is
 * "" then); -EBADMSG.
 */
int packet_name(const uint8_t *p, size_t len, size_t *off,
    char dst[DOMAIN_NAME_MAX + 1]) MUST_CHECK;

#endif
