#include "tls_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "domain.h"
#include "log.h"
#include "map.h"
#include "next_hop.h"
#include "service.h"
#include "tls_policy.h"

/* A table beyond this is none that a person keeps, bytes. */
#define FILE_MAX (16 * 1024 * 1024)

/* Names of sites are the longest. */
#define NAME_MAX_LEN 300

static struct map *table; /* lower-case name to level */

static void
clear(struct map **m)
{
	if (*m != NULL) {
		map_free(m, free);
	}
}

/* The next word of the line; empty at its end. */
static struct str
take_word(struct str *line)
{
	struct str word;
	size_t n = 0;

	*line = str_trim(*line);
	while (n < line->len && line->p[n] != ' ' && line->p[n] != '\t') {
		n++;
	}
	word = (struct str){ line->p, n };
	line->p += n;
	line->len -= n;
	return word;
}

static const char *
read_line(struct str line, struct map *to)
{
	char name[NAME_MAX_LEN];
	struct str key = take_word(&line);
	struct str level = take_word(&line);

	if (key.len == 0 || key.p[0] == '#') {
		return NULL;
	}
	if (key.len >= sizeof(name)) {
		return "the name is too long";
	}
	if (!tls_policy_is_level(level)) {
		return "the level must be none, may, encrypt, verify or dane";
	}
	if (str_trim(line).len > 0) {
		return "there is more than a name and a level";
	}
	str_copy(name, sizeof(name), key);
	domain_lower(name, key.len);
	if (map_get(to, str_of(name)) != NULL) {
		return "the name stands twice";
	}
	(void)map_put(to, str_of(name), str_dup(level));
	return NULL;
}

int
tls_table_parse(struct str text, struct buf *error)
{
	struct map *fresh = map_new();
	struct str line;
	unsigned n = 0;

	while (str_split(&text, '\n', &line)) {
		const char *why = read_line(line, fresh);

		n++;
		if (why != NULL) {
			buf_printf(error, "line %u: %s", n, why);
			clear(&fresh);
			return -EINVAL;
		}
	}
	clear(&table);
	table = fresh;
	return 0;
}

static void
read_table(const char *path, struct buf *out)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		do {
			n = read(fd, buf_reserve(out, 4096), 4096);
			out->len += n > 0 ? (size_t)n : 0;
		} while (n > 0 && out->len <= FILE_MAX);
	}
	if (n != 0) {
		fatal("smtp_tls_policy = %s: %s", path,
		    n > 0 ? "it is too large" : strerror(errno));
	}
}

void
tls_table_init(void)
{
	const char *path = conf()->smtp_tls_policy;
	struct buf text = { 0 };
	struct buf error = { 0 };

	if (path[0] == '\0') {
		return;
	}
	read_table(path, &text);
	if (tls_table_parse(buf_str(&text), &error) < 0) {
		fatal("smtp_tls_policy = %s: %.*s", path,
		    STR_ARG(buf_str(&error)));
	}
	buf_fini(&text);
}

void
tls_table_fini(void)
{
	clear(&table);
}

static struct str
find(struct str key)
{
	const char *level = map_get(table, key);

	return str_of(level != NULL ? level : "");
}

/* ".parent" of each domain above the name. */
static struct str
find_parent(struct str name)
{
	struct str level = { 0 };

	while (level.len == 0 && name.len > 0) {
		const char *dot = memchr(name.p + 1, '.', name.len - 1);

		if (dot == NULL) {
			break;
		}
		name.len -= (size_t)(dot - name.p);
		name.p = dot;
		level = find(name);
	}
	return level;
}

struct str
tls_table_find(struct str next_hop, struct str site)
{
	char name[NAME_MAX_LEN];
	struct str hop = { name, 0 };
	struct str level;
	const char *port;

	(void)next_hop_take_smtps(&next_hop);
	hop.len = next_hop.len;
	if (table == NULL || next_hop.len >= sizeof(name)) {
		return STR("");
	}
	str_copy(name, sizeof(name), next_hop);
	domain_lower(name, hop.len);
	level = find(hop);
	port = strrchr(name, ':');
	if (level.len == 0 && port != NULL && port != name) {
		hop.len = (size_t)(port - name);
		level = find(hop);
	}
	if (level.len == 0) {
		level = find_parent(hop);
	}
	return level.len == 0 ? find(site) : level;
}
