#include "sts_fetch.h"

#include <stdio.h>
#include <string.h>

#include "addr_filter.h"
#include "clock.h"
#include "log.h"
#include "service.h"
#include "sts_http.h"

/* What the child may take beyond libcurl's own time, to tell of it. */
#define GRACE_US US_PER_S

/* A text for people instead of a policy is never longer, bytes. */
#define ERROR_MAX 1024

static struct {
	X509_STORE *store;
	struct addr_nets allow;
	uint64_t n_children;
	TAILQ_HEAD(, sts_fetch) waiting;
} fetch = { .waiting = TAILQ_HEAD_INITIALIZER(fetch.waiting) };

static void run_waiting(void);

/* Where systems keep the authorities' certificates in one file. */
static const char *const ca_files[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

static void
load_store(void)
{
	const char *file = conf()->mta_sts_CAfile;

	fetch.store = X509_STORE_new();
	if (fetch.store == NULL) {
		fatal("cannot make a store of certificates");
	}
	if (file[0] != '\0') {
		if (X509_STORE_load_file(fetch.store, file) != 1) {
			fatal("mta_sts_CAfile = %s: cannot be read", file);
		}
		return;
	}
	for (size_t i = 0; i < array_len(ca_files); i++) {
		if (X509_STORE_load_file(fetch.store, ca_files[i]) == 1) {
			return;
		}
	}
	log_warn("no certificates of authorities found: no MTA-STS policy can "
		 "be fetched; set mta_sts_CAfile");
}

void
sts_fetch_init(void)
{
	const char *allow = conf()->mta_sts_allow_networks;

	if (addr_nets_parse(allow, &fetch.allow) < 0) {
		fatal("mta_sts_allow_networks = %s: not a list of address/bits",
		    allow);
	}
	if (!conf()->smtp_mta_sts) {
		return;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		fatal("libcurl cannot start");
	}
	load_store();
}

void
sts_fetch_fini(void)
{
	if (fetch.store != NULL) {
		X509_STORE_free(fetch.store);
		fetch.store = NULL;
		curl_global_cleanup();
	}
}

/* ---- one fetch ---------------------------------------------------------- */

static void
leave_cage(struct sts_fetch *f)
{
	if (f->has_cage) {
		f->has_cage = false;
		fetch.n_children--;
	}
}

static void
stop(struct sts_fetch *f)
{
	if (f->is_waiting) {
		f->is_waiting = false;
		TAILQ_REMOVE(&fetch.waiting, f, link);
	}
	leave_cage(f);
	cage_end(&f->cage);
	address_end(&f->address);
	buf_fini(&f->resolve);
}

void
sts_fetch_end(struct sts_fetch *f)
{
	stop(f);
	run_waiting();
}

static void
fail(struct sts_fetch *f, const char *error)
{
	char safe[STS_ERROR_SIZE];

	(void)str_safe(safe, sizeof(safe), str_of(error));
	sts_fetch_end(f);
	f->fn(f->arg, NULL, safe);
}

static void
take_text(struct sts_fetch *f, struct str text)
{
	struct sts_policy policy;
	const char *why;

	if (sts_policy_parse(text, &policy, &why) < 0) {
		fail(f, why);
		return;
	}
	sts_fetch_end(f);
	f->fn(f->arg, &policy, NULL);
	sts_policy_fini(&policy);
}

static void
on_result(void *arg, struct str result)
{
	struct sts_fetch *f = arg;
	char error[ERROR_MAX];
	struct str text;

	leave_cage(f);
	if (result.len == 0) {
		fail(f, "the process that fetched it ended without a result");
		return;
	}
	text = (struct str){ result.p + 1, result.len - 1 };
	if (result.p[0] == STS_HTTP_TEXT) {
		take_text(f, text);
	} else {
		str_copy(error, sizeof(error), text);
		fail(f, error);
	}
}

/* The child is a copy of this process, so what http points to is there. */
static void
start_child(struct sts_fetch *f)
{
	struct sts_http http = {
		.host = f->host,
		.port = (uint16_t)conf()->mta_sts_port,
		.resolve = (const char *)f->resolve.p,
		.store = fetch.store,
		.time_us = conf()->mta_sts_fetch_timeout,
		.size_max = conf()->mta_sts_policy_size,
	};
	const struct cage_task task = {
		.prepare = sts_http_prepare,
		.work = sts_http_run,
		.arg = &http,
		.rights = SANDBOX_CONNECT,
		.time_us = conf()->mta_sts_fetch_timeout + GRACE_US,
		.result_max = conf()->mta_sts_policy_size + ERROR_MAX,
	};

	f->has_cage = true;
	fetch.n_children++;
	cage_start(&f->cage, &task, on_result, f);
}

static void
run_waiting(void)
{
	struct sts_fetch *f;

	while (fetch.n_children < conf()->mta_sts_fetch_limit &&
	    (f = TAILQ_FIRST(&fetch.waiting)) != NULL) {
		TAILQ_REMOVE(&fetch.waiting, f, link);
		f->is_waiting = false;
		start_child(f);
	}
}

/* As CURLOPT_RESOLVE takes them; how many may be connected to. */
static unsigned
format_addresses(struct sts_fetch *f)
{
	const struct address *x = &f->address;
	unsigned n = 0;

	buf_printf(&f->resolve, "%s:%llu:", f->host,
	    (unsigned long long)conf()->mta_sts_port);
	for (uint8_t i = 0; i < x->n; i++) {
		char text[46];

		if (!addr_is_allowed(&x->list[i], &fetch.allow)) {
			continue;
		}
		plan_address_print(&x->list[i], text);
		buf_printf(&f->resolve,
		    x->list[i].family == 6 ? "%s[%s]" : "%s%s",
		    n > 0 ? "," : "", text);
		n++;
	}
	buf_u8(&f->resolve, '\0');
	return n;
}

static void
on_address(void *arg)
{
	struct sts_fetch *f = arg;

	if (f->address.status != DNS_OK) {
		fail(f, f->address.reason);
	} else if (format_addresses(f) == 0) {
		fail(f,
		    "its server has no public address "
		    "(mta_sts_allow_networks)");
	} else {
		f->is_waiting = true;
		TAILQ_INSERT_TAIL(&fetch.waiting, f, link);
		run_waiting();
	}
}

void
sts_fetch_start(
    struct sts_fetch *f, const char *domain, sts_fetch_fn *fn, void *arg)
{
	stop(f);
	*f = (struct sts_fetch){ .fn = fn, .arg = arg };
	(void)snprintf(f->host, sizeof(f->host), "mta-sts.%s", domain);
	address_start(&f->address, f->host, on_address, f);
}
