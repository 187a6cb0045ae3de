/*
 * Which recipients a command is about.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "core_name.h"
#include "qmgr.h"
#include "tenants.h"
#include "tools.h"

static char *
lower(const char *s)
{
	char *copy = mem_strdup(s);

	for (char *p = copy; *p != '\0'; p++) {
		*p = (char)tolower((unsigned char)*p);
	}
	return copy;
}

bool
selection_read(struct selection *s, uint32_t msg)
{
	struct core_message m;
	uint32_t n;

	if (s->msg == msg) {
		return s->has_record;
	}
	s->msg = msg;
	s->has_record = core_message_get(s->q->core, msg, &m, &n) == 0 &&
	    accepted_reread(s->q, &m.place, &s->record, &s->accepted) == 0;
	return s->has_record;
}

static bool
is_address(const char *wanted, struct str address)
{
	return wanted[0] == '\0' || str_eq_case(str_of(wanted), address);
}

static bool
has_tag(const struct selection *s)
{
	struct str rest = s->accepted.tags;
	struct str tag;

	if (s->tag[0] == '\0') {
		return true;
	}
	while (str_split(&rest, ',', &tag)) {
		if (str_eq_case(str_trim(tag), str_of(s->tag))) {
			return true;
		}
	}
	return false;
}

static bool
matches(void *arg, uint32_t msg, uint16_t ordinal)
{
	struct selection *s = arg;
	struct core_message m;
	uint32_t n;

	/* What is not in the journal yet is nobody's to change. */
	if (core_message_get(s->q->core, msg, &m, &n) < 0 ||
	    m.accept_lsn == 0 || s->is_nothing) {
		return false;
	}
	return selection_read(s, msg) &&
	    is_address(s->sender, s->accepted.sender) && has_tag(s) &&
	    (s->recipient[0] == '\0' ||
		is_address(s->recipient,
		    accepted_rcpt(&s->accepted, ordinal).address));
}

bool
selection_is_given(struct tool *t)
{
	static const char *const names[] = { "account", "domain", "site",
		"sender", "recipient", "tag" };

	for (size_t i = 0; i < array_len(names); i++) {
		if (json_is_string(json_object_get(tool_args(t), names[i]))) {
			return true;
		}
	}
	return false;
}

static int
select_account(struct selection *s, struct tool *t)
{
	const char *name = tool_arg(t, "account");
	uint32_t sub;

	if (name[0] == '\0') {
		return 0;
	}
	if (!tenants_find(s->q, str_of(name), &s->core.account, &sub)) {
		tool_end(t, EX_NOUSER, "no such account: %s", name);
		return -ENOENT;
	}
	s->core.by_account = true;
	s->core.by_subaccount = strchr(name, '/') != NULL;
	s->core.subaccount = sub;
	return 0;
}

int
selection_init(struct selection *s, struct qmgr *q, struct tool *t)
{
	char *domain = lower(tool_arg(t, "domain"));
	const char *site = tool_arg(t, "site");

	*s = (struct selection){ .q = q, .msg = CORE_NONE };
	core_selector_init(&s->core);
	s->core.arg = s;
	s->sender = lower(tool_arg(t, "sender"));
	s->recipient = lower(tool_arg(t, "recipient"));
	s->tag = lower(tool_arg(t, "tag"));
	if (domain[0] != '\0') {
		s->core.domain = core_domain_find(q->core, str_of(domain));
		s->is_nothing = s->core.domain == CORE_NONE;
	}
	free(domain);
	if (site[0] != '\0') {
		s->core.site = core_site_find(q->core, str_of(site));
		s->is_nothing = s->is_nothing || s->core.site == CORE_NONE;
	}
	/* Only where records must be read: others are seen much faster. */
	if (s->is_nothing || s->sender[0] != '\0' || s->recipient[0] != '\0' ||
	    s->tag[0] != '\0') {
		s->core.match = matches;
	}
	if (select_account(s, t) < 0) {
		selection_fini(s);
		return -ENOENT;
	}
	return 0;
}

void
selection_fini(struct selection *s)
{
	free(s->sender);
	free(s->recipient);
	free(s->tag);
	buf_fini(&s->record);
	s->sender = s->recipient = s->tag = NULL;
}
