#include "sts_line.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"

/* In the place of a policy's mode. */
#define FAILED "failed"

static void
put_crc(struct buf *out, size_t begin)
{
	buf_printf(out, "%08x\n",
	    (unsigned)crc32c(0, out->p + begin, out->len - begin));
}

void
sts_line_put(struct buf *out, const struct sts_known *k)
{
	size_t begin = out->len;
	struct str mx = buf_str(&k->policy.mx);

	buf_printf(out, "%s %s %s %llu %lu %.*s ", k->domain, k->id,
	    sts_mode_name(k->policy.mode), (unsigned long long)k->fetched_s,
	    (unsigned long)k->policy.max_age_s, STR_ARG(mx));
	if (mx.len == 0) {
		out->len--;
		buf_puts(out, "- ");
	}
	put_crc(out, begin);
}

void
sts_failure_put(
    struct buf *out, const char *domain, const struct sts_failure *f)
{
	size_t begin = out->len;

	buf_printf(out, "%s %s " FAILED " %llu %lu %s ", domain, f->id,
	    (unsigned long long)f->tried_s, (unsigned long)f->n, f->error);
	put_crc(out, begin);
}

static bool
is_whole(struct str line)
{
	uint8_t crc[4];
	uint32_t sum;

	if (line.len < 9 ||
	    str_unhex(crc, 4, (struct str){ line.p + line.len - 8, 8 }) < 0) {
		return false;
	}
	sum = (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 |
	    (uint32_t)crc[2] << 8 | crc[3];
	return sum == crc32c(0, line.p, line.len - 8);
}

static int
take_names(struct str *line, char domain[DOMAIN_NAME_MAX + 1],
    char id[STS_ID_SIZE], struct str *mode)
{
	struct str d;
	struct str i;

	if (!is_whole(*line) || !str_split(line, ' ', &d) ||
	    !str_split(line, ' ', &i) || !str_split(line, ' ', mode) ||
	    !domain_is_valid(d.p, d.len, DOMAIN_UNDERSCORE) ||
	    !sts_id_is_valid(i)) {
		return -EBADMSG;
	}
	str_copy(domain, DOMAIN_NAME_MAX + 1, d);
	str_copy(id, STS_ID_SIZE, i);
	return 0;
}

static int
take_number(struct str *line, uint64_t max, uint64_t *out)
{
	struct str word;

	return str_split(line, ' ', &word) ? str_u64(word, max, out) : -EBADMSG;
}

int
sts_line_parse(struct str line, struct sts_known *out)
{
	struct sts_known k = { 0 };
	struct str word;
	uint64_t age;

	if (take_names(&line, k.domain, k.id, &word) < 0 ||
	    sts_mode_parse(word, &k.policy.mode) < 0 ||
	    take_number(&line, UINT64_MAX, &k.fetched_s) < 0 ||
	    take_number(&line, STS_MAX_AGE_S, &age) < 0 ||
	    !str_split(&line, ' ', &word)) {
		return -EBADMSG;
	}
	if (!str_is(word, "-") && sts_mx_parse(word, &k.policy.mx) < 0) {
		return -EBADMSG;
	}
	k.policy.max_age_s = (uint32_t)age;
	*out = k;
	return 0;
}

int
sts_failure_parse(
    struct str line, char domain[DOMAIN_NAME_MAX + 1], struct sts_failure *out)
{
	char name[DOMAIN_NAME_MAX + 1];
	struct sts_failure f = { 0 };
	struct str word;
	uint64_t n;

	if (take_names(&line, name, f.id, &word) < 0 || !str_is(word, FAILED) ||
	    take_number(&line, UINT64_MAX, &f.tried_s) < 0 ||
	    take_number(&line, UINT32_MAX, &n) < 0 || n == 0 || line.len < 9 ||
	    line.len - 9 >= sizeof(f.error)) {
		return -EBADMSG;
	}
	f.n = (uint32_t)n;
	(void)str_safe(f.error, sizeof(f.error),
	    (struct str){ line.p, line.len - 9 }); /* " CRC" */
	str_copy(domain, DOMAIN_NAME_MAX + 1, str_of(name));
	*out = f;
	return 0;
}
