#include "source_rule.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "plan.h"

const char *
source_state_name(uint8_t state)
{
	switch ((enum source_state)state) {
	case SOURCE_PENDING:
		return "pending";
	case SOURCE_GOOD:
		return "good";
	case SOURCE_WAITING:
		return "waiting";
	case SOURCE_BAD:
		return "bad";
	}
	return "unknown";
}

uint64_t
source_ready_us(const struct schema_source *s, const struct source_rules *rules)
{
	return s->renamed_us == 0 || s->seen_us == 0
	    ? 0
	    : s->seen_us + rules->name_wait_us;
}

static bool
is_definite(uint8_t status)
{
	return status == CHECK_MISSING || status == CHECK_WRONG;
}

/* Both records are right. */
static enum source_state
confirmed(
    struct schema_source *s, uint64_t now_us, const struct source_rules *rules)
{
	if (s->seen_us == 0) {
		s->seen_us = now_us;
	}
	if (source_ready_us(s, rules) > now_us) {
		return SOURCE_WAITING;
	}
	s->renamed_us = 0; /* what comes later is no change of name */
	return SOURCE_GOOD;
}

/* A record is missing or says something else. */
static enum source_state
denied(struct schema_source *s)
{
	if (s->state == SOURCE_GOOD || s->state == SOURCE_BAD) {
		return SOURCE_BAD;
	}
	s->seen_us = 0; /* the wait begins anew */
	return SOURCE_PENDING;
}

/* Nothing was learned. */
static enum source_state
unanswered(
    struct schema_source *s, uint64_t now_us, const struct source_rules *rules)
{
	if (s->unknown_us == 0) {
		s->unknown_us = now_us;
	}
	if (s->state == SOURCE_GOOD &&
	    now_us - s->unknown_us >= rules->grace_us) {
		return SOURCE_BAD;
	}
	return (enum source_state)s->state;
}

static void
set_reason(
    struct schema_source *s, char *reason, const char *before, struct str text)
{
	(void)snprintf(
	    reason, SOURCE_REASON_MAX, "%s%.*s", before, STR_ARG(text));
	s->reason = str_of(reason);
}

bool
source_judge(struct schema_source *s, const struct ipc_ptr_rep *rep,
    uint64_t now_us, const struct source_rules *rules, char *reason)
{
	uint8_t before = s->state;
	enum source_state now;

	if (rep != NULL) {
		s->checked_us = now_us;
	}
	if (rep != NULL && rep->forward == CHECK_OK &&
	    rep->reverse == CHECK_OK) {
		s->unknown_us = 0;
		now = confirmed(s, now_us, rules);
		set_reason(s, reason, "",
		    now == SOURCE_WAITING
			? STR("the change of name was seen; others may "
			      "remember the old one")
			: STR(""));
	} else if (rep != NULL &&
	    (is_definite(rep->forward) || is_definite(rep->reverse))) {
		s->unknown_us = 0;
		now = denied(s);
		set_reason(s, reason, "", rep->reason);
	} else {
		now = unanswered(s, now_us, rules);
		set_reason(s, reason, "the records cannot be looked up: ",
		    rep != NULL ? rep->reason : STR("resolvd does not answer"));
	}
	s->state = (uint8_t)now;
	if (s->state != before) {
		s->since_us = now_us;
	}
	return s->state != before;
}

void
source_rename(struct schema_source *s, struct str name, uint64_t now_us)
{
	bool was_used = s->state != SOURCE_PENDING || s->renamed_us != 0;

	s->name = name;
	s->seen_us = 0;
	s->unknown_us = 0;
	s->renamed_us = was_used ? now_us : 0;
	s->reason = STR("the name was changed, and was not seen yet");
	if (s->state != SOURCE_PENDING) {
		s->since_us = now_us;
	}
	s->state = SOURCE_PENDING;
}
