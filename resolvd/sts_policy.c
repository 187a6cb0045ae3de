#include "sts_policy.h"

#include <errno.h>
#include <string.h>

#include "domain.h"

static const char *const modes[] = {
	[STS_NONE] = "none",
	[STS_TESTING] = "testing",
	[STS_ENFORCE] = "enforce",
};

const char *
sts_mode_name(enum sts_mode mode)
{
	return modes[mode];
}

int
sts_mode_parse(struct str name, enum sts_mode *out)
{
	for (size_t i = 0; i < array_len(modes); i++) {
		if (str_is(name, modes[i])) {
			*out = (enum sts_mode)i;
			return 0;
		}
	}
	return -EBADMSG;
}

/* ---- the record --------------------------------------------------------- */

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

bool
sts_id_is_valid(struct str id)
{
	for (size_t i = 0; i < id.len; i++) {
		if (!is_alnum(id.p[i])) {
			return false;
		}
	}
	return id.len > 0 && id.len < STS_ID_SIZE;
}

/* Others at the name do not count (RFC 8461 section 3.1). */
static bool
is_record(struct str txt)
{
	struct str version;

	return memchr(txt.p, ';', txt.len) != NULL &&
	    str_split(&txt, ';', &version) && str_starts(version, "v=STSv1") &&
	    str_is(str_trim(version), "v=STSv1");
}

static int
read_id(struct str txt, char id[STS_ID_SIZE])
{
	struct str field;

	while (str_split(&txt, ';', &field)) {
		field = str_trim(field);
		if (str_starts(field, "id=")) {
			field.p += 3;
			field.len -= 3;
			if (!sts_id_is_valid(field)) {
				return -ENOENT;
			}
			str_copy(id, STS_ID_SIZE, field);
			return 0;
		}
	}
	return -ENOENT;
}

int
sts_record_id(const struct answer *a, char id[STS_ID_SIZE])
{
	struct str record = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; a->status == ANSWER_DATA && i < a->packet.n; i++) {
		struct str txt = packet_data(&a->packet, i);

		if (txt.len > 0 && is_record(txt)) {
			record = txt;
			n++;
		}
	}
	return n == 1 ? read_id(record, id) : -ENOENT;
}

/* ---- the policy --------------------------------------------------------- */

struct reader {
	struct sts_policy p;
	bool has_version;
	bool has_mode;
	bool has_max_age;
	unsigned n_mx;
	const char *why;
};

static int
refuse(struct reader *r, const char *why)
{
	r->why = why;
	return -EBADMSG;
}

static bool
is_pattern(struct str s)
{
	if (s.len > 2 && s.p[0] == '*' && s.p[1] == '.') {
		s.p += 2;
		s.len -= 2;
	}
	return domain_is_valid(s.p, s.len, 0);
}

static int
add_mx(struct reader *r, struct str pattern)
{
	size_t at = r->p.mx.len;

	if (!is_pattern(pattern)) {
		return refuse(r, "an mx is not a host name");
	}
	if (r->n_mx == STS_MX_MAX) {
		return refuse(r, "it has too many mx");
	}
	if (r->n_mx++ > 0) {
		buf_u8(&r->p.mx, ',');
		at++;
	}
	buf_add(&r->p.mx, pattern.p, pattern.len);
	domain_lower((char *)r->p.mx.p + at, pattern.len);
	return 0;
}

static int
set_max_age(struct reader *r, struct str value)
{
	uint64_t n;

	if (r->has_max_age) {
		return 0;
	}
	/* RFC 8461 section 3.2: at most ten digits. */
	if (value.len > 10 || str_u64(value, UINT64_MAX, &n) < 0) {
		return refuse(r, "its max_age is not a number");
	}
	r->has_max_age = true;
	r->p.max_age_s = n < STS_MAX_AGE_S ? (uint32_t)n : STS_MAX_AGE_S;
	return 0;
}

static int
set_field(struct reader *r, struct str key, struct str value)
{
	if (str_is(key, "mx")) {
		return add_mx(r, value);
	}
	if (str_is(key, "max_age")) {
		return set_max_age(r, value);
	}
	if (str_is(key, "mode") && !r->has_mode) {
		r->has_mode = true;
		return sts_mode_parse(value, &r->p.mode) == 0
		    ? 0
		    : refuse(r, "its mode is not known");
	}
	if (str_is(key, "version") && !r->has_version) {
		r->has_version = true;
		return str_is(value, "STSv1")
		    ? 0
		    : refuse(r, "its version is not STSv1");
	}
	return 0;
}

static int
read_line(struct reader *r, struct str line)
{
	struct str key;

	if (line.len > 0 && line.p[line.len - 1] == '\r') {
		line.len--;
	}
	if (line.len == 0) {
		return 0;
	}
	if (memchr(line.p, '\0', line.len) != NULL ||
	    memchr(line.p, '\r', line.len) != NULL) {
		return refuse(r, "it is not text");
	}
	if (memchr(line.p, ':', line.len) == NULL ||
	    !str_split(&line, ':', &key)) {
		return refuse(r, "a line has no colon");
	}
	return set_field(r, str_trim(key), str_trim(line));
}

static int
check_whole(struct reader *r)
{
	if (!r->has_version) {
		return refuse(r, "it has no version");
	}
	if (!r->has_mode) {
		return refuse(r, "it has no mode");
	}
	if (!r->has_max_age) {
		return refuse(r, "it has no max_age");
	}
	if (r->n_mx == 0 && r->p.mode != STS_NONE) {
		return refuse(r, "it has no mx");
	}
	return 0;
}

int
sts_policy_parse(struct str text, struct sts_policy *out, const char **why)
{
	struct reader r = { 0 };
	struct str line;
	int e = 0;

	while (e == 0 && str_split(&text, '\n', &line)) {
		e = read_line(&r, line);
	}
	if (e == 0) {
		e = check_whole(&r);
	}
	if (e < 0) {
		*why = r.why;
		sts_policy_fini(&r.p);
		return e;
	}
	*out = r.p;
	return 0;
}

void
sts_policy_fini(struct sts_policy *p)
{
	buf_fini(&p->mx);
}

int
sts_mx_parse(struct str list, struct buf *out)
{
	struct reader r = { 0 };
	struct str pattern;
	int e = 0;

	while (e == 0 && str_split(&list, ',', &pattern)) {
		e = add_mx(&r, pattern);
	}
	if (e < 0) {
		buf_fini(&r.p.mx);
		return e;
	}
	*out = r.p.mx;
	return 0;
}

static bool
matches(struct str pattern, struct str host)
{
	const char *dot;

	if (!str_starts(pattern, "*.")) {
		return str_eq_case(pattern, host);
	}
	dot = host.len > 0 ? memchr(host.p, '.', host.len) : NULL;
	if (dot == NULL || dot == host.p) {
		return false;
	}
	pattern.p++;
	pattern.len--;
	host.len -= (size_t)(dot - host.p);
	host.p = dot;
	return str_eq_case(pattern, host);
}

bool
sts_policy_has(const struct sts_policy *p, struct str host)
{
	struct str rest = buf_str(&p->mx);
	struct str pattern;

	while (str_split(&rest, ',', &pattern)) {
		if (matches(pattern, host)) {
			return true;
		}
	}
	return false;
}
