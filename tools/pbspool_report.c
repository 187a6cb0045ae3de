#include "pbspool_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "buf.h"

void
pbspool_report_begin(
    struct pbspool_report *r, const char *kind, const char *name)
{
	r->file = json_object();
	r->damage = json_array();
	r->notes = json_array();
	(void)json_object_set_new(r->file, "kind", json_string(kind));
	(void)json_object_set_new(r->file, "name", json_string(name));
}

void
pbspool_report_num(struct pbspool_report *r, const char *name, uint64_t n)
{
	(void)json_object_set_new(r->file, name, json_integer((json_int_t)n));
}

static json_t *text_of(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

static json_t *
text_of(const char *fmt, va_list ap)
{
	char text[512];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	return json_string(text);
}

void
pbspool_report_damage(
    struct pbspool_report *r, uint64_t off, uint64_t len, const char *fmt, ...)
{
	json_t *d = json_object();
	va_list ap;

	va_start(ap, fmt);
	(void)json_object_set_new(d, "text", text_of(fmt, ap));
	va_end(ap);
	if (len != 0) {
		(void)json_object_set_new(
		    d, "offset", json_integer((json_int_t)off));
		(void)json_object_set_new(
		    d, "length", json_integer((json_int_t)len));
	}
	(void)json_array_append_new(r->damage, d);
	r->damages++;
}

void
pbspool_report_note(struct pbspool_report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)json_array_append_new(r->notes, text_of(fmt, ap));
	va_end(ap);
}

/* ---- printing ----------------------------------------------------------- */

static void
print_numbers(const struct pbspool_report *r)
{
	const char *separator = ": ";
	const char *name;
	json_t *value;

	printf("%s", json_string_value(json_object_get(r->file, "name")));
	json_object_foreach(r->file, name, value)
	{
		if (json_is_integer(value)) {
			printf("%s%" JSON_INTEGER_FORMAT " %s", separator,
			    json_integer_value(value), name);
			separator = ", ";
		}
	}
	putchar('\n');
}

static void
print_text(const struct pbspool_report *r)
{
	const json_t *d;
	size_t i;

	print_numbers(r);
	json_array_foreach(r->damage, i, d)
	{
		json_int_t len =
		    json_integer_value(json_object_get(d, "length"));

		printf("  DAMAGE: %s",
		    json_string_value(json_object_get(d, "text")));
		if (len != 0) {
			printf(" (offset %" JSON_INTEGER_FORMAT
			       ", %" JSON_INTEGER_FORMAT " bytes)",
			    json_integer_value(json_object_get(d, "offset")),
			    len);
		}
		putchar('\n');
	}
	json_array_foreach(r->notes, i, d)
	{
		printf("  %s\n", json_string_value(d));
	}
}

void
pbspool_report_end(struct pbspool_report *r)
{
	r->files++;
	(void)json_object_set(r->file, "damage", r->damage);
	(void)json_object_set(r->file, "notes", r->notes);
	if (!r->is_silent && r->is_json) {
		(void)json_dumpf(r->file, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!r->is_silent) {
		print_text(r);
	}
	json_decref(r->file);
	json_decref(r->damage);
	json_decref(r->notes);
	r->file = NULL;
}
