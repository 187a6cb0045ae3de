/*
 * At the start: can what DANE needs be had? A trust anchor, and name servers
 * that pass on signatures under it.
 */
#include <string.h>

#include "ask.h"
#include "log.h"
#include "resolvd.h"
#include "service.h"

static struct ask ask;

static void
on_answer(void *arg)
{
	const struct answer *a = &ask.answer;

	(void)arg;
	if (a->status == ANSWER_TEMPORARY) {
		log_warn("smtp_tls_level = dane, but the name servers' answer "
			 "about %s cannot be validated (%s): mail to whatever "
			 "is signed waits; check dns_servers and "
			 "dns_dnssec_trust_anchor",
		    ask.name, a->reason);
	} else if (!a->is_secure) {
		log_warn("smtp_tls_level = dane, but the name servers' answer "
			 "about %s is not secure: no TLSA record will be used; "
			 "check dns_servers and dns_dnssec_trust_anchor",
		    ask.name);
	} else {
		log_info("answers under %s are validated: TLSA records are "
			 "used",
		    ask.name);
	}
	ask_end(&ask);
}

void
dnssec_check(void)
{
	if (strcmp(conf()->smtp_tls_level, "dane") != 0) {
		return;
	}
	if (!ask_has_dnssec()) {
		log_warn("smtp_tls_level = dane, but dns_dnssec_trust_anchor "
			 "is empty: no TLSA record will be used");
		return;
	}
	ask_start(&ask, ask_anchor(), PACKET_SOA, on_answer, NULL);
}

void
dnssec_stop(void)
{
	ask_end(&ask);
}
