#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "event_json.h"
#include "fuzz.h"

/* Whatever a stored event holds, it is shown as valid JSON on one line. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t event[EVENT_STRUCT_MAX];
	struct event_accepted acc;
	struct event_view v = { .event = event };
	struct buf line = { 0 };
	size_t half;
	json_t *o;

	if (size < 3) {
		return 0;
	}
	v.type = data[0];
	v.lsn = data[1];
	half = (size - 3) * data[2] / 255;
	if (event_decode(v.type, data + 3, half, event) < 0) {
		return 0;
	}
	if (event_decode(
		EVENT_accepted, data + 3 + half, size - 3 - half, &acc) == 0) {
		v.acc = &acc;
	}
	o = event_json(&v);
	assert(json_string_value(json_object_get(o, "kind")) != NULL);
	json_decref(o);
	event_json_line(&line, &v);
	assert(memchr(line.p, '\n', line.len) == NULL);
	o = json_loadb(
	    (const char *)line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	assert(json_is_object(o));
	json_decref(o);
	buf_fini(&line);
	return 0;
}
