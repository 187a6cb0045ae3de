#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "smtp_param.h"

/* Accepted values lie in the text and decode; encode undoes decode. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct smtp_mail_params m;
	struct smtp_rcpt_params r;
	char text[SMTP_ORCPT_MAX], back[3 * SMTP_ORCPT_MAX];
	ssize_t n, k;

	if (smtp_param_parse_rcpt(s, size, ~0u, false, &r, NULL) == 0 &&
	    r.orcpt != NULL) {
		assert(r.orcpt + r.orcpt_len <= s + size);
		n = smtp_xtext_decode(r.orcpt, r.orcpt_len, text, sizeof(text));
		assert(n > 0);
	}
	if (smtp_param_parse_mail(s, size, ~0u, &m, NULL) < 0 ||
	    m.envid == NULL) {
		return 0;
	}
	assert(m.envid_len <= SMTP_ENVID_MAX);
	n = smtp_xtext_decode(m.envid, m.envid_len, text, sizeof(text));
	assert(n > 0);
	k = smtp_xtext_encode(text, (size_t)n, back, sizeof(back));
	assert(k > 0 && k <= 3 * n);
	assert(smtp_xtext_decode(back, (size_t)k, back, sizeof(back)) == n);
	assert(memcmp(back, text, (size_t)n) == 0);
	return 0;
}
