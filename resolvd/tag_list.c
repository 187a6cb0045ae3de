#include "tag_list.h"

#include <errno.h>
#include <string.h>

static const struct tag *
find(const struct tag_list *t, struct str name)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (str_eq(t->tags[i].name, name)) {
			return &t->tags[i];
		}
	}
	return NULL;
}

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(i > 0 && ((c >= '0' && c <= '9') || c == '_')))) {
			return false;
		}
	}
	return s.len > 0;
}

static int
add(struct tag_list *t, struct str spec)
{
	const char *equals = memchr(spec.p, '=', spec.len);
	struct tag tag;

	if (equals == NULL) {
		return -EBADMSG;
	}
	tag.name = str_trim((struct str){ spec.p, (size_t)(equals - spec.p) });
	tag.value = str_trim((struct str){
	    equals + 1, (size_t)(spec.p + spec.len - equals) - 1 });
	if (!is_name(tag.name) || find(t, tag.name) != NULL ||
	    t->n == TAG_LIST_MAX) {
		return -EBADMSG;
	}
	t->tags[t->n++] = tag;
	return 0;
}

int
tag_list_parse(struct str text, struct tag_list *out)
{
	struct tag_list t = { 0 };
	struct str rest = str_trim(text);
	struct str spec;

	while (str_split(&rest, ';', &spec)) {
		spec = str_trim(spec);
		if (spec.len == 0 && rest.len == 0) {
			break; /* one semicolon may end the list */
		}
		if (spec.len == 0 || add(&t, spec) < 0) {
			return -EBADMSG;
		}
	}
	if (t.n == 0) {
		return -EBADMSG;
	}
	*out = t;
	return 0;
}

struct str
tag_list_get(const struct tag_list *t, const char *name, const char *fallback)
{
	const struct tag *tag = find(t, str_of(name));

	return tag != NULL ? tag->value : str_of(fallback);
}

bool
tag_list_has(const struct tag_list *t, const char *name)
{
	return find(t, str_of(name)) != NULL;
}

bool
tag_value_has(struct str value, const char *word)
{
	struct str part;

	while (str_split(&value, ':', &part)) {
		if (str_eq_case(str_trim(part), str_of(word))) {
			return true;
		}
	}
	return false;
}
