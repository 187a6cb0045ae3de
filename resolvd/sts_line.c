#include "sts_line.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"

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
	buf_printf(out, "%08x\n",
	    (unsigned)crc32c(0, out->p + begin, out->len - begin));
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
take_names(struct str *line, struct sts_known *k)
{
	struct str domain;
	struct str id;
	struct str mode;

	if (!str_split(line, ' ', &domain) || !str_split(line, ' ', &id) ||
	    !str_split(line, ' ', &mode) ||
	    !domain_is_valid(domain.p, domain.len, DOMAIN_UNDERSCORE) ||
	    !sts_id_is_valid(id)) {
		return -EBADMSG;
	}
	str_copy(k->domain, sizeof(k->domain), domain);
	str_copy(k->id, sizeof(k->id), id);
	return sts_mode_parse(mode, &k->policy.mode);
}

int
sts_line_parse(struct str line, struct sts_known *out)
{
	struct sts_known k = { 0 };
	struct str word;
	uint64_t age;

	if (!is_whole(line) || take_names(&line, &k) < 0 ||
	    !str_split(&line, ' ', &word) ||
	    str_u64(word, UINT64_MAX, &k.fetched_s) < 0 ||
	    !str_split(&line, ' ', &word) ||
	    str_u64(word, STS_MAX_AGE_S, &age) < 0 ||
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
