#include "explain.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 2048

static const char *const outcomes[] = {
	[EXPLAIN_GO] = "go",
	[EXPLAIN_WAIT] = "wait",
	[EXPLAIN_STOP] = "stop",
	[EXPLAIN_REFUSE] = "refuse",
};

static json_t *
safe_string(const char *text)
{
	char safe[TEXT_MAX];

	return json_string(str_safe(safe, sizeof(safe), str_of(text)));
}

void
explain_put(struct tool *t, const struct explain *e, const char *fmt, ...)
{
	json_t *line = json_object();
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_object_set_new(line, "decision", json_string(e->decision));
	(void)json_object_set_new(
	    line, "outcome", json_string(outcomes[e->outcome]));
	(void)json_object_set_new(line, "text", safe_string(text));
	if (e->by != NULL) {
		(void)json_object_set_new(line, "by", safe_string(e->by));
	}
	if (e->details != NULL) {
		(void)json_object_update(line, e->details);
		json_decref(e->details);
	}
	tool_out(t, line);
}

void
explain_facts(struct tool *t, json_t *facts)
{
	tool_out(t, json_pack("{s:o}", "facts", facts));
}

const char *
explain_fact(const struct tool *t, const char *name)
{
	const char *s = json_string_value(
	    json_object_get(json_object_get(tool_args(t), "facts"), name));

	return s != NULL ? s : "";
}

json_int_t
explain_number(const struct tool *t, const char *name)
{
	return json_integer_value(
	    json_object_get(json_object_get(tool_args(t), "facts"), name));
}
