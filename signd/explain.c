/*
 * explain.sign: which keys would sign. For pbexplain(1).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "explain.h"
#include "service.h"
#include "signd.h"

/* Up to two selectors, of the algorithm that keyring.h names. */
static void
put_keys(struct tool *t, const char *domain, const struct binding *b)
{
	static const char *const algorithms[BINDING_KEYS] = { "rsa-sha256",
		"ed25519-sha256" };
	json_t *all = json_array();
	char text[320] = "";
	size_t n = 0;

	for (size_t i = 0; i < BINDING_KEYS; i++) {
		if (b->keys[i] == NULL) {
			continue;
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s (%s)",
		    n > 0 ? " and " : "", b->keys[i]->selector, algorithms[i]);
		(void)json_array_append_new(all,
		    json_pack("{s:s, s:s}", "selector", b->keys[i]->selector,
			"algorithm", algorithms[i]));
	}
	explain_put(t,
	    &(struct explain){ .decision = "dkim",
		.by = "pbdomain: the keys of the domain; dkim_signer",
		.details = json_pack("{s:s, s:o, s:s}", "domain", domain,
		    "selectors", all, "signer", conf()->dkim_signer) },
	    "d=%s, selector %s", domain, text);
}

void
explain_serve(struct tool *t)
{
	const char *domain = explain_fact(t, "sign_domain");
	struct binding *b;
	int r;

	if (strcmp(tool_command(t), "explain.sign") != 0) {
		tool_end(t, EX_USAGE, "signd knows no such command");
		return;
	}
	if (!signd.knows_all) {
		tool_end(t, EX_TEMPFAIL,
		    "signd does not know its keys yet: try again");
		return;
	}
	if (domain[0] == '\0') {
		explain_put(t,
		    &(struct explain){ .decision = "dkim",
			.by = "pbdomain: no verified domain" },
		    "unsigned");
		tool_end(t, EX_OK, NULL);
		return;
	}
	r = keyring_find(signd.ring, (uint32_t)explain_number(t, "account"),
	    str_of(domain), &b);
	if (r == 0) {
		put_keys(t, domain, b);
	} else {
		/* The client would hear 451 (smtpd/submit.c). */
		explain_put(t,
		    &(struct explain){ .decision = "dkim",
			.outcome = EXPLAIN_REFUSE,
			.by = "packetboat-signd: the keys in use" },
		    "%s cannot be signed for: %s", domain,
		    r == -EACCES ? "its keys are another account's"
				 : "no key signs for it");
	}
	tool_end(t, EX_OK, NULL);
}
